#!/usr/bin/env python3
"""Metrics out of lines, as a guide that users follow writes them: data/promtail-configmap.yaml is theirs to the byte. The real Prometheus
scrapes them, computes quantiles and shows the trace of an observation.

    tests/e2e/agent_metrics_test.py
"""
import json
import re
import subprocess
import time
from pathlib import Path

from running import BIN, TOOLS, World, eventually, fetch, fetch_json, free_port, skip

PIPELINE = (Path(__file__).parent / "data/promtail-configmap.yaml").read_text()

# The same keys under `config`, other prefixes, both forms in one stage, and a trace for the exemplars.
WRAPPED = """
- trace:
- json: {expressions: {level: , duration_ms: duration, memory_bytes: }}
- metrics:
    log_errors_total: {type: Counter, prefix: wrapped_, config: {match: 'level="error"', value: "1", action: inc}}
    log_duration_ms: {type: Histogram, config: {buckets: [10, 100, 1000], value_name: duration_ms, value_type: milliseconds}}
    duration_seconds: {type: Histogram, prefix: wrapped_, config: {buckets: [1, 2, 4], value_name: duration_ms, value_type: milliseconds}}
    log_memory_bytes: {type: Gauge, prefix: wrapped_, config: {value_name: memory_bytes}}
    real_total: {type: Counter, prefix: wrapped_, source: level, config: {value: error, action: inc}}
"""

# Line, then what it adds: errors, and the duration that is observed in seconds (nothing: none).
LINES = ((r'{"level":"error","duration":1500,"message":"x"}', 1, 1.5),
         (r'{"level":"info","duration":"250"}', 0, 0.25),
         (r'{"level":"ERROR"}', 0, None),
         (r'{"level":"error","duration":"250ms"}', 1, 0.25),
         ("not json", 0, None),
         (r'{"level":"error","duration":true}', 1, 0.001))

# Of the guide's alert rules, without the comparison with an hour ago.
QUANTILE = "histogram_quantile(0.99, rate(promtail_request_duration_seconds_bucket[5m]))"
SLOWEST = {"level": "error", "duration": 3000, "memory_bytes": 4096, "traceparent": "00-" + "4bf92f3577b34da6a3ce929d0e0e4736" + "-00f067aa0ba902b7-01"}


def indented(text, spaces):
    return "".join(" " * spaces + line + "\n" for line in text.strip("\n").splitlines())


def config(folder, kvasir, port):
    def job(name, stages):
        return (f"- job_name: {name}\n  static_configs: [{{targets: [localhost], labels: {{job: {name}, __path__: '{folder}/{name}.log'}}}}]\n"
                + indented(stages, 2))

    return (f"server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}}}\n"
            f"positions: {{filename: {folder}/positions.yaml}}\ntarget_config: {{sync_period: 500ms}}\n"
            f"clients: [{{url: '{kvasir}/loki/api/v1/push', batchwait: 100ms}}]\nscrape_configs:\n"
            + job("app", PIPELINE) + job("wrapped", "pipeline_stages:" + WRAPPED))


class Agent:
    def __init__(self, world, kvasir):
        self.port = free_port()
        path = world.folder / "agent.yaml"
        path.write_text(config(world.folder, kvasir, self.port))
        checked = subprocess.run([BIN / "kvasir-agent", "-check-syntax", f"-config.file={path}"], capture_output=True, text=True)
        assert checked.returncode == 0 and "source \"memory_bytes\" is not produced by any earlier stage" in checked.stderr, checked
        self.program = world.run("agent", BIN / "kvasir-agent", f"-config.file={path}")

    def page(self, accept="text/plain"):
        status, text = fetch(f"http://127.0.0.1:{self.port}/metrics", headers={"Accept": accept})[:2]
        assert status == 200, text
        return text

    def sample(self, name, **labels):
        """The value of the series of that name whose labels hold these; None without one."""
        for line in self.page().splitlines():
            if line.startswith(name + "{") and all(f'{key}="{value}"' in line for key, value in labels.items()):
                return float(line.rsplit(" ", 1)[1])
        return None


def append(path, *lines):
    with open(path, "a") as file:
        file.write("".join(line + "\n" for line in lines))


def check_lines(world, agent):
    """Line by line, what the document's pipeline makes of it."""
    errors, observed = 0, []
    for line, more_errors, duration in LINES:
        append(world.folder / "app.log", line)
        errors += more_errors
        observed += [duration] if duration is not None else []
        eventually(f"{line} is counted", 20, lambda: agent.sample("promtail_log_errors_total", job="app") == errors
                   and agent.sample("promtail_request_duration_seconds_count", job="app") == len(observed))
        total = agent.sample("promtail_request_duration_seconds_sum", job="app")
        assert abs(total - sum(observed)) < 1e-9, (line, total)
    assert agent.sample("promtail_request_duration_seconds_bucket", job="app", le="0.5") == 3
    assert agent.sample("promtail_memory_usage_bytes") is None
    # The agent's own series of that name are there as well, and the page is good.
    eventually("a push is timed", 20, lambda: agent.sample("promtail_request_duration_seconds_count", status_code="204"))
    done = subprocess.run([TOOLS / "promtool", "check", "metrics"], input=agent.page(), capture_output=True, text=True)
    assert done.returncode == 0, done


def check_wrapped(world, agent):
    append(world.folder / "wrapped.log", json.dumps(SLOWEST), json.dumps({"level": "info", "duration": 50, "memory_bytes": "1e3"}))
    eventually("both lines are counted", 20, lambda: agent.sample("wrapped_duration_seconds_count", job="wrapped") == 2)
    for name, labels, value in (("wrapped_log_errors_total", {}, 1), ("wrapped_real_total", {}, 1), ("wrapped_log_memory_bytes", {}, 1000),
                                ("wrapped_duration_seconds_sum", {}, 3.05), ("promtail_custom_log_duration_ms_sum", {}, 3050),
                                ("promtail_custom_log_duration_ms_bucket", {"le": "100"}, 1), ("wrapped_duration_seconds_bucket", {"le": "2"}, 1)):
        assert abs(agent.sample(name, **labels) - value) < 1e-9, (name, agent.sample(name, **labels))
    trace = SLOWEST["traceparent"].split("-")[1]
    page = agent.page("application/openmetrics-text")
    assert re.search(r'^wrapped_duration_seconds_bucket\{[^}]*le="4\.0"\} \d+ # \{trace_id="' + trace + r'"\} 3 ', page, re.M), page
    assert page.endswith("# EOF\n")
    return trace


def check_prometheus(world, agent, trace):
    port = free_port()
    (world.folder / "prometheus.yaml").write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [
        {"job_name": "agent", "honor_labels": True, "static_configs": [{"targets": [f"127.0.0.1:{agent.port}"]}]}]}))
    world.run("prometheus", TOOLS / "prometheus", f"--config.file={world.folder}/prometheus.yaml",
              f"--storage.tsdb.path={world.folder}/prom", f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage")
    began = time.time() - 60

    def ask(expr):
        return fetch_json(f"http://127.0.0.1:{port}/api/v1/query", query=expr)["data"]["result"]

    eventually("Prometheus has the counter", 60, lambda: ask('promtail_log_errors_total{job="app"} == 3'))
    slow = json.dumps({"level": "error", "duration": 3000})
    for _ in range(4):
        append(world.folder / "app.log", *[slow] * 5)
        append(world.folder / "wrapped.log", json.dumps(SLOWEST))
        time.sleep(1.2)
    quantile = eventually("the quantile is there", 30, lambda: [
        float(row["value"][1]) for row in ask(QUANTILE) if row["metric"].get("job") == "app" and row["value"][1] != "NaN"])
    assert 2 < quantile[0] <= 5, quantile  # all new observations are 3 s: the bucket from 2 to 5
    assert [row for row in ask(QUANTILE + " > 1") if row["metric"].get("job") == "app"]
    eventually("the rate is there", 30, lambda: [row for row in ask("rate(promtail_log_errors_total[5m]) > 0")])
    found = eventually("the exemplar is there", 30, lambda: fetch_json(
        f"http://127.0.0.1:{port}/api/v1/query_exemplars", query="wrapped_duration_seconds_bucket", start=began, end=time.time() + 60)["data"])
    assert found[0]["exemplars"][0]["labels"] == {"trace_id": trace} and float(found[0]["exemplars"][0]["value"]) == 3, found


def main():
    if not (TOOLS / "prometheus").exists():
        skip("no Prometheus")
    with World() as world:
        _, kvasir = world.kvasir()
        for name in ("app", "wrapped"):
            append(world.folder / f"{name}.log")
        agent = Agent(world, kvasir)
        check_lines(world, agent)
        trace = check_wrapped(world, agent)
        check_prometheus(world, agent, trace)
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
