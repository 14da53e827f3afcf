#!/usr/bin/env python3
"""What the HTTP interface has on top of Loki's: docs/http-extensions.md, each part with a request that is sent here."""
import json
import random
import threading
import time
import urllib.parse

from running import ANSWER_SECONDS, World, eventually, fetch, fetch_json

NOW = int(time.time())
START = (NOW - 600) * 1_000_000_000


def push(url, streams, **headers):
    body = json.dumps({"streams": streams}).encode()
    return fetch(url + "/loki/api/v1/push", body, {"Content-Type": "application/json", **headers})


def push_lines(url):
    values = [[str(START + i // 4 * 1_000_000_000), json.dumps({"n": i, "status": 500 if i % 10 == 0 else 200}), {"trace_id": f"{i:016x}"}]
              for i in range(100)]
    other = [[str(START + i * 1_000_000_000), f"level=info n={i}"] for i in range(20)]
    status, text = push(url, [{"stream": {"app": "shop"}, "values": values}, {"stream": {"app": "other"}, "values": other}])
    assert status == 204, text


def check_entry(url):
    query = {"query": '{app="shop"}', "start": START, "end": START + 60_000_000_000, "limit": 50, "direction": "forward"}
    status, text = fetch(url + "/loki/api/v1/query_range?" + urllib.parse.urlencode(query), headers={"Accept": "application/x-ndjson"})
    assert status == 200, text
    row = json.loads(text.splitlines()[41])
    assert json.loads(row["line"])["n"] == 41, row
    data = fetch_json(f"{url}/api/v1/entry/{row['cursor']}", before=3, after=2)["data"]
    number = lambda entry: json.loads(entry["line"])["n"]
    assert number(data["entry"]) == 41 and data["entry"]["structuredMetadata"]["trace_id"] == f"{41:016x}", data
    assert [number(e) for e in data["before"]] == [38, 39, 40] and [number(e) for e in data["after"]] == [42, 43], data
    data = fetch_json(f"{url}/api/v1/entry/{row['cursor']}", before=0, after=2, query='{app=~".+"} |= "500"')["data"]
    assert [number(e) for e in data["after"]] == [50, 60] and data["before"] == [], data
    assert fetch(f"{url}/api/v1/entry/{START}-999999999")[0] == 404
    assert fetch(f"{url}/api/v1/entry/abc")[0] == 400


def check_explain(url):
    """One execution, counted by operator: what went through the pipeline, and what short cuts answered in its place."""
    query = {"start": START, "end": START + 60_000_000_000}

    def explain(text, **more):
        plan = fetch_json(url + "/api/v1/explain", query=text, **query, **more)["data"]
        assert all(o.get("cpuSeconds", o.get("seconds")) >= 0 for o in plan["operators"]), plan
        return plan["operators"]

    def named(operators, name):
        return [o for o in operators if o["operator"] == name]

    for state in ("in memory", "in segments"):
        operators = explain('{app="shop"} |= "500" | json | status >= 500')
        assert named(operators, "select")[0]["rows"] == 100 and named(operators, "open")[0]["rows"] == 100, (state, operators)
        literals = sum(o["rows"] for o in named(operators, "literals")) if state == "in segments" else 10
        stages = {o["text"]: (o["rowsIn"], o["rows"]) for o in named(operators, "stage")}
        assert literals == 10 and stages["| json"] == (10, 10) and stages["| status>=500"] == (10, 10), (state, operators)
        lines = named(operators, "lines")[0]
        assert lines["rows"] in (10, 100) and lines["bytes"] > 100, (state, operators)
        assert named(operators, "result")[0]["rowsIn"] == 10 and operators[-1]["operator"] == "limit" and operators[-1]["rows"] == 10
        operators = explain('sum by (app) (count_over_time({app=~".+"} [1m]))', step=10)
        counted = sum(o["rows"] for name in ("footers", "times") for o in named(operators, name))
        through = sum(o["rowsIn"] for o in named(operators, "result"))
        assert counted + through == 120 and operators[-1]["operator"] == "evaluate" and operators[-1]["series"] == 2, (state, operators)
        assert named(operators, "lines") == [], (state, operators)
        if state == "in segments":
            assert counted == 120, operators
            absent = explain('{app="shop"} |= "nowhere to be found"')
            assert named(absent, "select")[0]["blocksPruned"] >= 1 and named(absent, "open") == [], absent
            columns = explain('sum by (status) (count_over_time({app="shop"} | json | status >= 500 [1m]))')
            if named(columns, "columns")[0]["blocksAnswered"]:
                assert named(columns, "columns")[0]["rows"] == 10 and named(columns, "lines") == [], columns
        assert fetch(url + "/flush", b"")[0] == 204
    assert fetch(url + "/api/v1/explain?query={")[0] == 400


def check_shards(url):
    query = {"query": '{app=~".+"}', "start": START, "end": START + 60_000_000_000}
    one = fetch_json(url + "/loki/api/v1/index/shards", targetBytesPerShard="1MB", **query)["shards"]
    assert len(one) == 1 and one[0]["stats"]["streams"] == 2 and one[0]["stats"]["entries"] == 120, one
    assert one[0]["stats"] == fetch_json(url + "/loki/api/v1/index/stats", **query), one
    assert one[0]["bounds"] == {"min": 0, "max": 2**64 - 1}, one
    two = fetch_json(url + "/loki/api/v1/index/shards", targetBytesPerShard="1B", **query)["shards"]
    assert len(two) == 2 and two[0]["bounds"]["max"] + 1 == two[1]["bounds"]["min"], two
    for field in ("streams", "chunks", "bytes", "entries"):
        assert sum(s["stats"][field] for s in two) == one[0]["stats"][field] > 0, (field, two)
    assert fetch(url + "/loki/api/v1/index/shards?" + urllib.parse.urlencode(query)) == (
        400, "targetBytesPerShard must be a positive value")


def check_pages(url):
    """A trace and the legacy route are paged like any query; a label name with a slash is no label."""
    trace = "feedfacefeedfacefeedfacefeedface"
    times = [str(START + i) for i in range(30)]
    streams = [{"stream": {"app": f"hop{part}"}, "values": [[t, f"step {i}", {"trace_id": trace}] for i, t in enumerate(times) if i % 3 == part]}
               for part in range(3)]
    assert push(url, streams)[0] == 204
    seen, cursor = [], ""
    for _ in range(10):
        data = fetch_json(f"{url}/api/v1/trace/{trace}/logs", limit=7, cursor=cursor)["data"]
        seen += [line for stream in data["result"] for _, line in stream["values"]]
        cursor = data["cursor"]
        if not cursor:
            break
    assert seen == [f"step {i}" for i in range(30)], seen
    status, text = fetch(f"{url}/api/v1/trace/{trace}/logs", headers={"Accept": "application/x-ndjson"})
    assert status == 200 and [json.loads(line)["line"] for line in text.splitlines()] == seen, text
    assert fetch(f"{url}/api/v1/trace/{trace}/logs?cursor=x")[0] == 400
    seen, cursor = [], ""
    for _ in range(10):
        answer = fetch_json(url + "/api/prom/query", query='{app=~"hop."}', start=START, end=START + 1000, limit=7, direction="forward", cursor=cursor)
        seen += [entry["line"] for stream in answer["streams"] for entry in stream["entries"]]
        cursor = answer["cursor"]
        if not cursor:
            break
    assert sorted(seen) == sorted(f"step {i}" for i in range(30)), seen
    assert fetch(url + "/loki/api/v1/label/a%2Fb/values") == (404, "404 page not found\n")
    assert fetch_json(url + "/api/v1/status/buildinfo")["data"]["version"].startswith("2.")


def cache_lookups(url):
    """Blocks of segments that queries asked for until now, opened or found open."""
    rows = [row.split() for row in fetch(url + "/metrics")[1].splitlines()]
    return sum(float(row[1]) for row in rows if row and row[0] in ("kvasir_block_cache_hits_total", "kvasir_block_cache_misses_total"))


def check_trace_blocks(url):
    """The lines of a trace, without a time range: only the blocks that hold the id are opened, and what is not sealed counts at once."""
    ids = random.Random(1)
    trace = f"{ids.getrandbits(128):032x}"
    blocks = 12
    for block in range(blocks):
        begin = START - block * 12 * 3_600_000_000_000
        spans = [trace if block in (3, 8) and i == 500 else f"{ids.getrandbits(128):032x}" for i in range(1000)]
        values = [[str(begin + i), f"part {block} line {i}", {"trace_id": span}] for i, span in enumerate(spans)]
        assert push(url, [{"stream": {"app": f"part{block}"}, "values": values}])[0] == 204
        assert fetch(url + "/flush", b"")[0] == 204

    def ask(trace):
        before = cache_lookups(url)
        data = fetch_json(f"{url}/api/v1/trace/{trace}/logs")["data"]["result"]
        return [line for _, line in sorted(pair[:2] for stream in data for pair in stream["values"])], cache_lookups(url) - before
    lines, others = ask(f"{ids.getrandbits(128):032x}")
    assert lines == [] and others <= 2, (lines, others)
    most = 4  # a filter of ids lets a block through now and then that does not hold the id
    lines, opened = ask(trace)
    assert lines == ["part 8 line 500", "part 3 line 500"] and 2 <= opened <= most, (lines, opened)
    everything = cache_lookups(url)
    assert len(fetch_json(url + "/loki/api/v1/query_range", query='{app=~"part.*"} |= "line 500"', start=START - 6 * 86_400_000_000_000, end=START + 1000,
                          limit=100)["data"]["result"]) == blocks
    assert cache_lookups(url) - everything >= blocks, "the count sees blocks that are opened"
    assert push(url, [{"stream": {"app": "now"}, "values": [[str(START + 60_000_000_000), "not sealed", {"trace_id": trace}]]}])[0] == 204
    lines, opened = ask(trace)
    assert lines == ["part 8 line 500", "part 3 line 500", "not sealed"] and 2 <= opened <= most, (lines, opened)


def check_audit(url, kvasir):
    """What is refused before it is a query leaves a line too."""
    paths = ("loki/api/v1/query_range?start=abc&query={a=%22A%22}", "loki/api/v1/query_range?query={B", "loki/api/v1/query?time=x&query=C",
             "api/v1/explain?query={D", "loki/api/v1/detected_fields?query={E", "loki/api/v1/patterns?query={F", "loki/api/v1/tail?query={G",
             "api/v1/query?query={H", "api/v1/query?query={a=%22I%22}", "api/v1/query_exemplars?query={J", "api/prom/query?query={K",
             "api/prom/query?query=rate({a=%22L%22}[1m])", "api/v1/entry/M?query=M", "api/v1/trace/zz/logs?query=N",
             "loki/api/v1/series?match={O", "loki/api/v1/index/stats?query={P")
    for path in paths:
        assert fetch(url + "/" + path)[0] == 400, path
    log = lambda: [line for line in kvasir.log.read_text().splitlines() if "status=400" in line]
    eventually("all are in the log", 5, lambda: all(any(f"{mark}" in line.split("query=", 1)[-1][:24] for line in log())
                                                    for mark in "ABCDEFGHIJKLMNOP"))


def check_table(url):
    query = {"query": '{app="shop"} | json | stats count() as n, max(n) as last by status | order by n', "table": "true"}
    data = fetch_json(url + "/loki/api/v1/query_range", start=START, end=START + 60_000_000_000, **query)["data"]
    assert (data["resultType"], data["columns"]) == ("table", ["status", "n", "last"]), data
    assert data["result"] == [["500", "10", "90"], ["200", "90", "99"]], data
    query["query"] = '{app="nobody"} | stats count() as n'
    data = fetch_json(url + "/loki/api/v1/query", time=START + 60_000_000_000, **query)["data"]
    assert (data["columns"], data["result"]) == (["n"], [["0"]]), data


def check_verdicts(url):
    now = str(time.time_ns())
    streams = [{"stream": {"app": "verdict"}, "values": [[now, "good"], ["1000", "ancient"], [now, "x" * 300_000]]},
               {"stream": {f"l{i}": "x" for i in range(40)}, "values": [[now, "a"], [now, "b"]]}]
    status, text = push(url, streams, **{"X-Kvasir-Verdicts": "true"})
    answer = json.loads(text)
    assert status == 400 and (answer["accepted"], answer["refused"]) == (1, 4), (status, text)
    assert [(v["stream"], v["entry"], v["reason"]) for v in answer["verdicts"]] == [
        (0, 1, "greater_than_max_sample_age"), (0, 2, "line_too_long"),
        (1, 0, "max_label_names_per_series"), (1, 1, "max_label_names_per_series")], answer
    broken = [{"stream": {"bad-name": "x"}, "values": [[now, "unreadable"]]}, {"stream": {"app": "beside"}, "values": [[now, "readable"]]}]
    status, text = push(url, broken)
    assert status == 400 and text.startswith("couldn't parse labels: "), "without verdicts the push is refused whole"
    status, text = push(url, broken, **{"X-Kvasir-Verdicts": "true"})
    answer = json.loads(text)
    assert status == 400 and answer["accepted"] == 1, (status, text)
    assert [(v["stream"], v["entry"], v["status"], v["reason"]) for v in answer["verdicts"]] == [(0, 0, 400, "invalid_labels")], answer
    late = str(time.time_ns() - 3 * 3600 * 10**9)
    status, text = push(url, [{"stream": {"app": "verdict"}, "values": [[late, "behind"], [str(time.time_ns()), "in time"]]}],
                        **{"X-Kvasir-Verdicts": "true"})
    answer = json.loads(text)
    assert status == 400 and [(v["entry"], v["reason"]) for v in answer["verdicts"]] == [(0, "too_far_behind")], (status, text)
    assert push(url, [{"stream": {"app": "verdict"}, "values": [[str(time.time_ns()), "fine"]]}], **{"X-Kvasir-Verdicts": "true"})[0] == 200


def verdicts_on(url, streams, **headers):
    status, text = push(url, streams, **{"X-Kvasir-Verdicts": "true"}, **headers)
    answer = json.loads(text)
    assert status == 200 and answer["refused"] == 0, (status, text)
    return answer["accepted"], answer["repeated"], [(v["stream"], v["entry"]) for v in answer["verdicts"] if v["reason"] == "repeated"]


def check_repeated(url):
    """Lines that are stored already are named: within a push, in memory, in segments, and by the range of their source."""
    t = time.time_ns()
    first = [{"stream": {"app": "again"}, "values": [[str(t), "a"], [str(t), "b", {"k": "v"}], [str(t), "a"]]}]
    assert verdicts_on(url, first) == (2, 1, [(0, 2)])
    assert verdicts_on(url, first) == (0, 3, [(0, 0), (0, 1), (0, 2)])
    assert fetch(url + "/flush", b"")[0] == 204
    second = [{"stream": {"app": "other"}, "values": [[str(t), "a"]]},
              {"stream": {"app": "again"}, "values": [[str(t), "new"], [str(t), "a"], [str(t), "b"], [str(t), "b", {"k": "v"}]]}]
    assert verdicts_on(url, second) == (3, 2, [(1, 1), (1, 3)])
    source = {"X-Kvasir-Source": "file", "X-Kvasir-Range": "0-10"}
    last = [{"stream": {"app": "again"}, "values": [[str(t + 1), "x"], [str(t + 2), "y"]]}]
    assert verdicts_on(url, last, **source) == (2, 0, [])
    assert verdicts_on(url, last, **source) == (0, 2, [(0, 0), (0, 1)])


def check_otlp_verdicts(url):
    """OTLP over HTTP: partial success in either form, and verdicts that name records."""
    record = lambda t, text: {"timeUnixNano": str(t), "body": {"stringValue": text}}
    t = time.time_ns()
    mixed = {"resourceLogs": [{"scopeLogs": [{"logRecords": []}, {"logRecords": [record(t, "good"), record(1000, "ancient")]}]},
                              {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "second"}}]},
                               "scopeLogs": [{"logRecords": [record(1000, "ancient too"), record(t, "good too")]}]}]}
    post = lambda body, **headers: fetch(url + "/otlp/v1/logs", json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    status, text = post(mixed)
    partial = json.loads(text)["partialSuccess"]
    assert status == 200 and partial["rejectedLogRecords"] == "2" and "has timestamp too old" in partial["errorMessage"], (status, text)
    status, text = post(mixed, **{"X-Kvasir-Verdicts": "true"})
    answer = json.loads(text)
    assert status == 200 and (answer["accepted"], answer["repeated"], answer["refused"]) == (0, 2, 2), (status, text)
    places = [(v["resource"], v["scope"], v["record"], v["reason"]) for v in answer["verdicts"]]
    assert places == [(0, 1, 1, "greater_than_max_sample_age"), (1, 0, 0, "greater_than_max_sample_age"), (0, 1, 0, "repeated"),
                      (1, 0, 1, "repeated")], places
    bad = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record(1000, "ancient")]}]}]}
    assert post(bad)[0] == 400 and "too old" in post(bad)[1], post(bad)
    assert post({"resourceLogs": [{"scopeLogs": [{"logRecords": [record(t, "fine")]}]}]}) == (204, "")


def check_cancel(url):
    """A query that would take long is seen, cancelled, and says so."""
    for part in range(4):
        lines = [[str(START + i * 1_000_000), f"ab{i}" * 20] for i in range(part * 20_000, (part + 1) * 20_000)]
        assert push(url, [{"stream": {"app": "slow"}, "values": lines}])[0] == 204
    slow = "{app=\"slow\"} | line_format `" + "{{ regexReplaceAll \"(a|b)*\" __line__ \"x\" }}" * 20 + "` |~ `(.*x){20}y`"
    answers = []
    query = {"query": f"sum(count_over_time({slow} [10m]))", "start": START, "end": START + 3000_000_000_000, "step": 1}
    thread = threading.Thread(target=lambda: answers.append(fetch(url + "/loki/api/v1/query_range?" + urllib.parse.urlencode(query))))
    thread.start()
    running = eventually("the query is listed", 10, lambda: fetch_json(url + "/api/v1/queries")["data"])
    assert running[0]["kind"] == "query_range" and "regexReplaceAll" in running[0]["query"], running
    assert fetch(f"{url}/api/v1/queries/{running[0]['id']}", method="DELETE")[0] == 204
    thread.join(ANSWER_SECONDS)
    assert answers and answers[0] == (499, "the request was cancelled by the client"), answers
    eventually("no query is listed", 10, lambda: fetch_json(url + "/api/v1/queries")["data"] == [])
    assert fetch(f"{url}/api/v1/queries/{running[0]['id']}", method="DELETE")[0] == 404


def check_request_limits(url):
    """X-Loki-Query-Limits, which Loki has too, tightens what the tenant may."""
    query = urllib.parse.urlencode({"query": '{app="shop"}', "start": START, "end": START + 60_000_000_000, "limit": 50})
    ask = lambda limits: fetch(url + "/loki/api/v1/query_range?" + query, headers={"X-Loki-Query-Limits": limits})
    assert ask('{"maxEntriesLimitPerQuery": 50}')[0] == 200
    assert ask('{"maxEntriesLimitPerQuery": 49}') == (
        400, "max entries limit per query exceeded, limit > max_entries_limit_per_query (50 > 49)")
    assert ask('{"requiredLabels": ["env"]}')[0] == 400 and ask("nonsense")[0] == 400


def check_exact(url):
    """Detected fields, their values and patterns count every line of the range; line_limit asks for less."""
    lines = [[str(START + i * 1_000_000), f'level=info msg="user u{i} of {"blue" if i % 3 else "red"} came" id={i}'] for i in range(4000)]
    assert push(url, [{"stream": {"app": "exact"}, "values": lines}])[0] == 204
    range_of = {"query": '{app="exact"}', "start": START, "end": START + 60_000_000_000}
    cardinality = lambda **more: {f["label"]: f["cardinality"] for f in fetch_json(
        url + "/loki/api/v1/detected_fields", **range_of, **more)["fields"]}
    assert cardinality()["id"] == 4000, cardinality()
    assert cardinality(line_limit=10)["id"] == 10
    values = fetch_json(url + "/loki/api/v1/detected_field/id/values", **range_of, limit=5000)["values"]
    assert sorted(map(int, values)) == list(range(4000)), len(values)
    patterns = fetch_json(url + "/loki/api/v1/patterns", **range_of, step="1h")["data"]
    assert sum(count for pattern in patterns for _, count in pattern["samples"]) == 4000, patterns


def check_parquet(url):
    """An encoding that Loki has switched off is refused in its words."""
    for path in ("query_range", "query"):
        answer = fetch(url + f"/loki/api/v1/{path}?query=vector(1)", headers={"Accept": "application/vnd.apache.parquet"})
        assert answer == (400, "support for Parquet encoded responses is disabled. Enable with -frontend.support-parquet-encoding=true"), answer


def check_prometheus_steps(url):
    """Points of the Prometheus API stand at start + k * step and never behind the end; Loki's stand on multiples of the step."""
    base = (NOW - 300) // 60 * 60
    for start, end, step in ((20, 80, 30), (0, 60, 30), (0, 50, 30), (20, 20, 30), (1.5, 60, 7), (0, 59, 60)):
        for _ in range(2):  # the second may come from the cache
            data = fetch_json(url + "/api/v1/query_range", query="vector(1)", start=base + start, end=base + end, step=step)["data"]["result"]
            wanted = [base + start + k * step for k in range(int((end - start) // step) + 1)]
            assert [at for at, _ in data[0]["values"]] == wanted, (start, end, step, data)
        counted = fetch_json(url + "/api/v1/query_range", query='sum(count_over_time({app="shop"}[1h]))', start=base + start, end=base + end, step=step)
        assert [at for at, _ in counted["data"]["result"][0]["values"]] == wanted, (start, end, step, counted)
    aligned = fetch_json(url + "/loki/api/v1/query_range", query="vector(1)", start=base + 20, end=base + 80, step=30)["data"]["result"]
    assert [at for at, _ in aligned[0]["values"]] == [base + k for k in (0, 30, 60, 90)], aligned


def check_zstd(url):
    """Bodies in zstd, around JSON."""
    body = json.dumps({"streams": [{"stream": {"app": "zstd"}, "values": [[str(time.time_ns()), "packed"]]}]}).encode()
    # A frame with one raw block: magic, single segment, content size of one byte, last block.
    packed = b"\x28\xb5\x2f\xfd\x20" + bytes([len(body)]) + (len(body) << 3 | 1).to_bytes(3, "little") + body
    assert len(body) < 256
    headers = {"Content-Type": "application/json", "Content-Encoding": "zstd"}
    assert fetch(url + "/loki/api/v1/push", packed, headers)[0] == 204
    assert fetch(url + "/loki/api/v1/push", packed[:-3], headers)[0] == 400
    eventually("the line is there", 10, lambda: "packed" in json.dumps(fetch_json(url + "/loki/api/v1/query_range", query='{app="zstd"}')))


def main():
    with World() as world:
        kvasir, url = world.kvasir("pattern_ingester: {enabled: true}\nquerier: {per_request_limits_enabled: true}\nlimits_config: {ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB}\n")
        push_lines(url)
        for check in (check_entry, check_shards, check_explain, check_pages, check_trace_blocks, check_table, check_verdicts, check_repeated, check_otlp_verdicts, check_cancel, check_request_limits, check_exact, check_parquet, check_prometheus_steps, check_zstd):
            check(url)
            print(check.__name__, "ok")
        check_audit(url, kvasir)


if __name__ == "__main__":
    main()
