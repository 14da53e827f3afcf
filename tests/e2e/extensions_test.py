#!/usr/bin/env python3
"""What the HTTP interface has on top of Loki's: docs/http-extensions.md, each part with a request that is sent here."""
import json
import threading
import time
import urllib.parse

from running import World, eventually, fetch, fetch_json

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
    query = {"start": START, "end": START + 60_000_000_000}
    plan = fetch_json(url + "/api/v1/explain", query='{app="shop"} |= "500" | json | status >= 500', **query)["data"]
    rows = [(o["operator"], o["text"], o["rows"]) for o in plan["operators"]]
    assert rows[:4] == [("select", '{app="shop"}', 100), ("stage", '|= "500"', 10), ("stage", "| json", 10),
                        ("stage", "| status >= 500", 10)] or [r[2] for r in rows[:4]] == [100, 10, 10, 10], rows
    assert rows[4][0] == "limit" and rows[4][2] == 10, rows
    assert all(o["seconds"] >= 0 for o in plan["operators"])
    assert [(o.get("rowsIn"), o["ownSeconds"] >= 0, o["ownBytes"] >= 0) for o in plan["operators"][:4]] == [
        (None, True, True), (100, True, True), (10, True, True), (10, True, True)], plan
    plan = fetch_json(url + "/api/v1/explain", query='sum by (app) (count_over_time({app=~".+"} [1m]))', step=10, **query)["data"]
    assert [o["operator"] for o in plan["operators"]] == ["select", "evaluate"] and plan["operators"][1]["series"] == 2, plan
    assert plan["operators"][0]["rows"] == 120, plan
    assert fetch(url + "/api/v1/explain?query={")[0] == 400


def check_shards(url):
    query = {"query": '{app=~".+"}', "start": START, "end": START + 60_000_000_000}
    one = fetch_json(url + "/loki/api/v1/index/shards", targetBytesPerShard="1MB", **query)["shards"]
    assert len(one) == 1 and one[0]["stats"]["streams"] == 2, one
    assert one[0]["bounds"] == {"min": 0, "max": 2**64 - 1}, one
    two = fetch_json(url + "/loki/api/v1/index/shards", targetBytesPerShard="1B", **query)["shards"]
    assert len(two) == 2 and two[0]["bounds"]["max"] + 1 == two[1]["bounds"]["min"], two
    assert sum(s["stats"]["bytes"] for s in two) == one[0]["stats"]["bytes"]
    assert fetch(url + "/loki/api/v1/index/shards?" + urllib.parse.urlencode(query)) == (
        400, "targetBytesPerShard must be a positive value")


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
    late = str(time.time_ns() - 3 * 3600 * 10**9)
    status, text = push(url, [{"stream": {"app": "verdict"}, "values": [[late, "behind"], [str(time.time_ns()), "in time"]]}],
                        **{"X-Kvasir-Verdicts": "true"})
    answer = json.loads(text)
    assert status == 400 and [(v["entry"], v["reason"]) for v in answer["verdicts"]] == [(0, "too_far_behind")], (status, text)
    assert push(url, [{"stream": {"app": "verdict"}, "values": [[str(time.time_ns()), "fine"]]}], **{"X-Kvasir-Verdicts": "true"})[0] == 200


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
    thread.join(30)
    assert answers and answers[0] == (499, "the request was cancelled by the client"), answers
    assert fetch_json(url + "/api/v1/queries")["data"] == []
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
        _, url = world.kvasir("pattern_ingester: {enabled: true}\nquerier: {per_request_limits_enabled: true}\nlimits_config: {ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB}\n")
        push_lines(url)
        for check in (check_entry, check_explain, check_shards, check_table, check_verdicts, check_cancel, check_request_limits, check_exact, check_parquet, check_zstd):
            check(url)
            print(check.__name__, "ok")


if __name__ == "__main__":
    main()
