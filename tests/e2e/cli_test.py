#!/usr/bin/env python3
"""Every command of kvasirctl against a server that holds known lines, and what it says of mistakes."""
import json
import os
import subprocess
import time

from running import BIN, World, eventually, fetch, fetch_json

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CONFIG = """
compactor: {retention_enabled: true, delete_request_store: filesystem}
"""


class Terminal:
    def __init__(self, url):
        self.url = url

    def run(self, *arguments, text=None):
        environment = {**os.environ, "TZ": "UTC", "LOKI_ADDR": self.url}
        return subprocess.run([BIN / "kvasirctl", *arguments], input=text, capture_output=True, text=True, timeout=300, env=environment)

    def lines(self, *arguments, text=None):
        done = self.run(*arguments, "--quiet", text=text)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout.splitlines()

    def error(self, *arguments):
        done = self.run(*arguments, "--quiet")
        assert done.returncode != 0, (arguments, done.stdout)
        return done.stderr


def push(url):
    now = time.time_ns() - 5 * 10**9
    streams = [
        ({"service": "gateway", "env": "prod"}, [(0, f'{{"level":"info","status":200,"trace_id":"{TRACE}","msg":"in"}}'),
                                                 (40, f'{{"level":"error","status":502,"trace_id":"{TRACE}","msg":"out"}}')]),
        ({"service": "orders", "env": "prod"}, [(12, f"level=warn took=12ms trace_id={TRACE}"), (90, "level=info took=1ms")]),
    ]
    body = {"streams": [{"stream": labels, "values": [[str(now + ms * 10**6), line] for ms, line in values]}
                        for labels, values in streams]}
    status, text = fetch(url + "/loki/api/v1/push", json.dumps(body).encode(), {"Content-Type": "application/json"})
    assert status == 204, text


def check_trace(ctl):
    streams = fetch_json(f"{ctl.url}/api/v1/trace/{TRACE}/logs")["data"]["result"]
    assert [stream["stream"]["service"] for stream in streams] == ["gateway", "orders", "gateway"], streams
    lines = ctl.lines("trace", TRACE)
    assert [line.split()[0] for line in lines[1:]] == ["+0.000", "+12.000", "+40.000"], lines
    assert [line.split()[2] for line in lines[1:]] == ["gateway", "orders", "gateway"], lines
    assert len(ctl.lines("trace", TRACE, "-o", "raw")) == 3
    assert "no line holds the trace id" in ctl.error("trace", "00000000000000000000000000000001")
    assert "8 to 64 hexadecimal digits" in ctl.error("trace", "xyz")


def check_index(ctl):
    assert ctl.lines("labels", "service") == ["gateway", "orders"]
    analysis = ctl.lines("series", '{env="prod"}', "--analyze-labels")
    assert analysis[0].split() == ["Total", "Streams:", "2"], analysis
    assert any(line.split() == ["service", "2", "2"] for line in analysis), analysis
    stats = json.loads(ctl.lines("stats", '{env="prod"}')[0])
    assert stats["streams"] == 2 and stats["entries"] == 4, stats
    by_env = ctl.lines("volume", '{env="prod"}', "--targetLabels", "env", "-o", "table")
    assert by_env[0].split() == ["env", "value"] and len(by_env) == 2, by_env
    by_name = ctl.lines("volume", '{env="prod"}', "--aggregateByLabels", "-o", "table")
    assert len(by_name) >= 2 and by_name[0].split()[-1] == "value", by_name
    assert len(ctl.lines("volume_range", '{env="prod"}', "--step", "1m", "-o", "table")) >= 2


def check_fields(ctl):
    rows = {line.split()[0]: line.split()[1:] for line in ctl.lines("detected-fields", '{env="prod"}')}
    assert rows["field"] == ["type", "values", "parsers"], rows
    assert rows["status"] == ["int", "2", "json"], rows
    assert rows["took"] == ["duration", "2", "logfmt"], rows
    assert sorted(ctl.lines("detected-fields", '{env="prod"}', "status")) == ["200", "502"]
    assert "parse error" in ctl.error("detected-fields", "{env=")


def check_format(ctl):
    assert ctl.lines("fmt", 'sum(rate({a="b"}[5m]))by(c)') == ctl.lines("fmt", text='sum(rate({a="b"}[5m]))by(c)')
    assert "parse error at line 1" in ctl.error("fmt", "{a=")


def check_delete(ctl, url):
    assert "--from is required" in ctl.error("delete", "create", '{service="orders"}')
    from_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
    done = ctl.lines("delete", "create", '{service="orders"} |= "took=1ms"', "--from", from_time)
    request_id = done[0].split()[-1]
    rows = [line.split() for line in ctl.lines("delete", "list")]
    assert rows[0] == ["id", "from", "to", "status", "query"] and rows[1][0] == request_id, rows
    count = 'sum(count_over_time({service="orders"}[1h]))'

    def stored():
        return int(float(fetch_json(url + "/loki/api/v1/query", query=count)["data"]["result"][0]["value"][1]))

    eventually("the deleted line is hidden", 20, lambda: stored() == 1)
    assert request_id in ctl.lines("delete", "cancel", request_id)[0]
    eventually("the line is back", 20, lambda: stored() == 2)
    assert "could not find delete request" in ctl.error("delete", "cancel", "nothere")


def check_paging(ctl, url):
    """More lines of one instant than fit into a page."""
    now = str(time.time_ns() - 10**9)
    values = [[now, f"n={n}"] for n in range(2500)]
    body = json.dumps({"streams": [{"stream": {"job": "crowd"}, "values": values}]}).encode()
    assert fetch(url + "/loki/api/v1/push", body, {"Content-Type": "application/json"})[0] == 204
    for direction in ([], ["--forward"]):
        lines = ctl.lines("query", '{job="crowd"}', "-o", "raw", "--limit", "0", "--batch", "700", *direction)
        assert sorted(lines) == sorted(line for _, line in values), (direction, len(lines))
    assert len(ctl.lines("query", '{job="crowd"}', "-o", "raw", "--limit", "1500", "--batch", "700")) == 1500
    ordered = ctl.lines("query", '{job="crowd"} | logfmt | order by n desc', "-o", "raw", "--limit", "1500", "--batch", "700")
    assert ordered == [f"n={n}" for n in range(2499, 999, -1)], (len(ordered), ordered[:3], ordered[-3:])
    assert len(ctl.lines("query", '{job="crowd"} | limit 2', "-o", "raw")) == 2


def check_files(ctl):
    """The engine over standard input: equal lines stay two, and the query says how they are ordered."""
    text = "2026-01-10T12:00:00Z n=3 ssh: failed\n2026-01-10T12:00:00Z n=3 ssh: failed\n2026-01-10T12:01:00Z n=1 cron: failed\n"
    rows = ctl.lines("--stdin", "query", '| pattern "<_> <_> <unit>: <_>" | stats count() by unit', text=text)
    assert [row.split() for row in rows] == [["unit", "count()"], ["cron", "1"], ["ssh", "2"]], rows
    for order, wanted in (("timestamp asc", "331"), ("timestamp desc", "133"), ("n", "133"), ("n desc", "331")):
        lines = ctl.lines("--stdin", "query", f"# a comment\n\t| logfmt | order by {order}", "-o", "raw", text=text)
        assert "".join(line.split("n=")[1][0] for line in lines) == wanted, (order, lines)
    assert json.loads("\n".join(ctl.lines("--stdin", "query", "| stats count()", "--step", "10m", text=text)))
    assert "--stdin is for query" in ctl.error("--stdin", "labels")


def check_mistakes(ctl):
    assert "--timezone must be Local or UTC" in ctl.error("labels", "--timezone", "Mars")
    assert "--since is not a duration" in ctl.error("labels", "--since", "soon")
    assert "--output must be one of" in ctl.error("labels", "-o", "xml")
    assert ctl.run("query").returncode != 0
    assert "error: only log selector is supported" in ctl.error("tail", '{env="prod"} | stats count()')
    assert "refused" in ctl.run("labels", "--addr", "http://127.0.0.1:1").stderr


def check_segments(ctl, world, url):
    assert fetch(url + "/flush", b"")[0] == 204
    data = world.folder / "data"
    segment = next(data.rglob("*.seg"))
    assert ctl.lines("inspect", str(segment))[0].startswith("format version 3, "), ctl.lines("inspect", str(segment))
    assert ctl.run("verify", str(data)).returncode == 0
    damaged = world.folder / "damaged"
    damaged.mkdir()
    (damaged / "short.seg").write_bytes(segment.read_bytes()[:5])
    done = ctl.run("verify", str(damaged))
    assert done.returncode != 0 and done.stdout.count("short.seg") == 1, (done.stdout, done.stderr)
    inspected = ctl.run("inspect", str(damaged / "short.seg"))
    assert inspected.returncode != 0 and inspected.stderr.count("short.seg") == 1, inspected.stderr


def main():
    with World() as world:
        _, url = world.kvasir(CONFIG)
        push(url)
        ctl = Terminal(url)
        check_trace(ctl)
        check_index(ctl)
        check_fields(ctl)
        check_format(ctl)
        check_delete(ctl, url)
        check_paging(ctl, url)
        check_files(ctl)
        check_mistakes(ctl)
        check_segments(ctl, world, url)
    print("every command answered")


main()
