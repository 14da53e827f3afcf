#!/usr/bin/env python3
"""The users' story with the real programs: services log JSON with trace ids; the agent ships lines and derives metrics; Prometheus
scrapes and alerts; Kvasir's own rules alert and record; links lead from alerts to lines and from lines to their trace."""
import json
import re
import signal
import subprocess
import sys
import time
import urllib.parse

from running import BIN, ROOT, TOOLS, World, eventually, fetch, fetch_json, free_port, skip

RULES = """groups:
  - name: demo
    interval: 1s
    rules:
      - alert: LogErrors
        expr: sum by (service) (count_over_time({job="services"} | json | __error__="" | level=~"(?i)error" [20s])) > 15
        for: 3s
        labels: {severity: page}
        annotations:
          logs: '{{ grafanaExplore "Loki" (printf "{service=%q} |~ \\"(?i)error\\"" $labels.service) }}'
          evidence: '{{ logLink "Loki" }}'
          traces: '{{ range traceIDs 3 }}{{ jaegerTrace "http://jaeger.example/" . }} {{ end }}'
      - alert: SlowFor
        expr: sum(count_over_time({job="services"}[1m])) > 0
        for: 20s
      - record: service:lines:count1m
        expr: sum by (service) (count_over_time({job="services"}[1m]))
"""

PROMETHEUS_RULES = """groups:
  - name: derived
    interval: 1s
    rules:
      - alert: DerivedErrors
        expr: sum by (service) (increase(promtail_log_errors_total[20s])) > 15
        for: 2s
        labels: {severity: page}
        annotations:
          logs_link: LINK_OF_DEPLOY
"""

AGENT = """server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}}}
positions: {{filename: {folder}/positions.yaml}}
clients: [{{url: "{kvasir}/loki/api/v1/push", batchwait: 200ms}}]
target_config: {{sync_period: 500ms}}
scrape_configs:
  - job_name: services
    static_configs: [{{targets: [localhost], labels: {{job: services, __path__: "{folder}/logs/*.log"}}}}]
    pipeline_stages:
      - regex: {{source: filename, expression: '/(?P<service>[^/]+)\.log$'}}
      - json: {{expressions: {{timestamp: timestamp, level: level, service: service, duration_ms: duration}}}}
      - labels: {{service: }}
      - metrics:
          log_errors_total: {{type: Counter, description: errors, prefix: promtail_, value: "1", match: 'level="error"'}}
      - metrics:
          lines_total: {{type: Counter, description: lines, prefix: promtail_, config: {{match_all: true, action: inc}}}}
      - metrics:
          request_duration_seconds:
            type: Histogram
            description: durations
            prefix: promtail_
            buckets: [0.01, 0.1, 0.5, 1, 2, 5, 10]
            value_name: duration_ms
            value_type: milliseconds
"""


# promtool calls a name with colons wrong, though recorded series are named so.
TOLERATED_NAMES = ("service:lines:count1m",)


def link_of_deploy():
    """The annotation that leads to the lines, as the alerts under deploy/ have it."""
    text = (ROOT / "deploy/prometheus/alerts.yaml").read_text()
    return re.search(r"^ +logs_link: ('.*')$", text, re.M).group(1)


def left_of(link):
    """What a link to Grafana's Explore asks for."""
    return json.loads(urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["left"][0])


class Story:
    def __init__(self, world):
        self.world, self.folder = world, world.folder
        ports = {name: free_port() for name in ("kvasir", "agent", "prometheus", "alertmanager")}
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.ports = ports
        (self.folder / "logs").mkdir()
        rules = self.folder / "rules" / "fake"
        rules.mkdir(parents=True)
        (rules / "demo.yaml").write_text(RULES)
        self.start_alertmanager()
        self.start_prometheus()
        self.kvasir, _ = world.kvasir(self.kvasir_config(), ports["kvasir"])
        (self.folder / "agent.yaml").write_text(
            AGENT.format(port=ports["agent"], folder=self.folder, kvasir=self.urls["kvasir"]))
        self.agent = world.run("agent", BIN / "kvasir-agent", f"-config.file={self.folder / 'agent.yaml'}")
        self.demo = world.run("demo", sys.executable, ROOT / "deploy/demo/demo.py", "--dir", self.folder / "logs", "--rate", "40",
                              "--error-share", "0.03")

    def kvasir_config(self):
        return f"""ruler:
  storage: {{type: local, local: {{directory: {self.folder}/rules}}}}
  alertmanager_url: {self.urls["alertmanager"]}
  external_url: http://grafana.example/
  resend_delay: 2s
  for_grace_period: 0s
  poll_interval: 1s
  remote_write: {{enabled: true, client: {{url: "{self.urls["prometheus"]}/api/v1/write"}}}}
"""

    def start_alertmanager(self):
        config = self.folder / "alertmanager.yaml"
        config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\nglobal: {resolve_timeout: 10s}\n")
        self.world.run("alertmanager", TOOLS / "prometheus-alertmanager", f"--config.file={config}",
                       f"--storage.path={self.folder}/am", f"--web.listen-address=127.0.0.1:{self.ports['alertmanager']}",
                       "--cluster.listen-address=")

    def start_prometheus(self):
        (self.folder / "prometheus-rules.yaml").write_text(PROMETHEUS_RULES.replace("LINK_OF_DEPLOY", link_of_deploy()))
        config = self.folder / "prometheus.yaml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.folder / "prometheus-rules.yaml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self.ports['alertmanager']}"]}]}]},
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{self.ports[name]}"]}]} for name in ("kvasir", "agent")],
        }))
        self.world.run("prometheus", TOOLS / "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/prom",
                       f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}", "--web.enable-remote-write-receiver")

    def prometheus(self, query):
        return fetch_json(self.urls["prometheus"] + "/api/v1/query", query=query)["data"]["result"]

    def instant(self, query):
        return fetch_json(self.urls["kvasir"] + "/loki/api/v1/query", query=query)["data"]["result"]

    def matrix(self, query):
        return fetch_json(self.urls["kvasir"] + "/loki/api/v1/query_range", query=query, since="5m", step="1s")["data"]["result"]

    def lines(self, query, **params):
        span = params if params else {"since": "1h"}
        result = fetch_json(self.urls["kvasir"] + "/loki/api/v1/query_range", query=query, limit=5000, **span)["data"]["result"]
        return [(int(t), s["stream"], line) for s in result for t, line, *_ in s["values"]]

    def alerts(self, name):
        """Alerts in the Alertmanager that are active now."""
        found = fetch_json(self.urls["alertmanager"] + "/api/v2/alerts", filter=f'alertname="{name}"')
        return [a for a in found if a["status"]["state"] == "active"]

    def for_clock(self):
        groups = fetch_json(self.urls["kvasir"] + "/prometheus/api/v1/rules")["data"]["groups"]
        rule = next(r for g in groups for r in g["rules"] if r["name"] == "SlowFor")
        return rule["alerts"][0] if rule["alerts"] else None

    def missed_slots(self):
        page = fetch(self.urls["kvasir"] + "/metrics")[1]
        return sum(float(number) for number in re.findall(r"^loki_prometheus_rule_group_iterations_missed_total\{.*\} (\S+)$", page, re.M))

    def saved_alert(self):
        """(when it was saved, the alert) of SlowFor, as the server keeps it on disk."""
        state = json.loads((self.folder / "data/ruler/alerts/fake/demo.yaml+demo.json").read_text())
        return state["saved_at"], next(rule["alerts"][0] for rule in state["rules"] if rule["name"] == "SlowFor")


SECOND = 10**9


def check_restart_keeps_for(story):
    """Killed while the alert is pending, the server counts on where it was: the time of the outage is added to activeAt, to the nanosecond,
    and the alert fires at the first slot that is 20 s behind it."""
    eventually("SlowFor is pending", 15, story.for_clock)
    eventually("its state is saved", 15, lambda: story.saved_alert()[1]["active_at"])
    story.kvasir.stop(signal.SIGKILL)
    saved_at, before = story.saved_alert()
    time.sleep(2)
    started = time.time_ns()
    story.kvasir.start()
    eventually("kvasir is back", 20, lambda: fetch(story.urls["kvasir"] + "/ready")[0] == 200)
    ready = time.time_ns()
    eventually("SlowFor lives on", 15, story.for_clock)
    eventually("SlowFor fires", 30, lambda: (story.for_clock() or {}).get("state") == "firing")
    _, after = eventually("its state is saved", 5, lambda: story.saved_alert() if story.saved_alert()[1]["firing"] else None)
    moved = after["active_at"] - before["active_at"]
    assert started - saved_at <= moved <= ready - saved_at, f"activeAt moved by {moved} ns, the outage was {ready - saved_at} ns at most"
    shown = story.for_clock()["activeAt"]
    assert shown == rfc3339(after["active_at"]), (shown, after)
    waited = after["fired_at"] - after["active_at"]
    most = 22 + story.missed_slots()  # those that a busy machine skipped
    assert 20 * SECOND <= waited < most * SECOND, f"fired {waited / SECOND} s after activeAt, `for` is 20 s and the interval 1 s; at most {most}"


def rfc3339(nanoseconds):
    fraction = f".{nanoseconds % SECOND:09}".rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // SECOND)) + fraction + "Z"


def check_fault_alerts(story):
    story.demo.process.send_signal(signal.SIGUSR1)
    fired = {}
    for name in ("LogErrors", "DerivedErrors"):
        fired[name] = eventually(f"{name} fires", 60, lambda: story.alerts(name))[0]
    check_links_of_log_alert(story, fired["LogErrors"])
    check_links_of_derived_alert(story, fired["DerivedErrors"])
    eventually("ALERTS is in Prometheus", 20, lambda: story.prometheus('ALERTS{alertname="LogErrors",alertstate="firing"}'))
    story.demo.process.send_signal(signal.SIGUSR2)
    for name in ("LogErrors", "DerivedErrors"):
        eventually(f"{name} is resolved", 90, lambda: not story.alerts(name))
    # Without an end of its own a series would stay for five minutes.
    eventually("ALERTS has ended in Prometheus", 20, lambda: not story.prometheus('ALERTS{alertname="LogErrors"}'))


def check_error_lines(lines, service):
    assert lines and all(s["service"] == service and "error" in line.lower() for _, s, line in lines), (service, lines[:3])


def check_links_of_log_alert(story, alert):
    service, annotations = alert["labels"]["service"], alert["annotations"]
    check_error_lines(story.lines(left_of(annotations["logs"])["queries"][0]["expr"]), service)
    evidence = left_of(annotations["evidence"])
    begin, end = (int(evidence["range"][side]) * 10**6 for side in ("from", "to"))
    lines = story.lines(evidence["queries"][0]["expr"], start=begin, end=end)
    check_error_lines(lines, service)
    assert len(lines) > 15 and all(begin <= t < end for t, _, _ in lines), (len(lines), begin, end)
    traces = annotations["traces"].split()
    assert len(traces) == 3, annotations["traces"]
    for link in traces:
        assert re.fullmatch("http://jaeger.example/trace/[0-9a-f]{32}", link), link
        of_trace = story.lines('{trace_id="%s"}' % link.rsplit("/", 1)[1])
        assert any(s["service"] == service and "error" in line.lower() for _, s, line in of_trace), (link, of_trace)
    assert alert["generatorURL"].startswith("http://grafana.example/explore?left="), alert["generatorURL"]
    series = story.matrix(left_of(alert["generatorURL"])["queries"][0]["expr"])
    assert any(float(value) > 15 for s in series if s["metric"]["service"] == service for _, value in s["values"]), series


def check_links_of_derived_alert(story, alert):
    service = alert["labels"]["service"]
    link = left_of(alert["annotations"]["logs_link"])
    assert link["datasource"] == "kvasir", link
    check_error_lines(story.lines(link["queries"][0]["expr"]), service)
    graph = urllib.parse.parse_qs(urllib.parse.urlsplit(alert["generatorURL"]).query)["g0.expr"][0]
    assert any(r["metric"]["service"] == service for r in eventually("the graph shows it", 10, lambda: story.prometheus(graph)))


def check_provisioned_links(story, trace, want):
    """The links that Grafana and Jaeger make of a line, a span and a trace, from the files under deploy/."""
    pattern = json.loads((ROOT / "deploy/jaeger/ui.json").read_text())["linkPatterns"][0]["url"].replace("#{traceID}", trace)
    sources = (ROOT / "deploy/grafana/provisioning/datasources/kvasir.yaml").read_text()
    of_span = re.search(r"^ +query: '(.*)'$", sources, re.M).group(1).replace("$${__trace.traceId}", trace)
    for query in (left_of(pattern)["queries"][0]["expr"], of_span):
        assert sorted(line for _, _, line in story.lines(query)) == want, query
    derived = re.compile(re.search(r"^ +matcherRegex: '(.*)'$", sources, re.M).group(1))
    assert all(derived.search(line).group(1) == trace for line in want), want


def check_trace_links(story):
    line = next(json.loads(line) for _, _, line in story.lines('{job="services"} | json | trace_id!=""')
                if json.loads(line)["trace_id"].strip("0"))
    trace = line["trace_id"]
    shapes = [line for _, _, line in story.lines('{job="services"} | json | __error__!=""')]
    assert any(line.startswith("2") for line in shapes) and any(line.startswith('{"timestamp"') for line in shapes), "both broken shapes are there"
    want = sorted(line for _, _, line in story.lines(f'{{job="services"}} |= "{trace}"'))
    assert sorted(line for _, _, line in story.lines(f'{{trace_id="{trace}"}}')) == want and want
    check_provisioned_links(story, trace, want)
    status, text = fetch(f'{story.urls["kvasir"]}/api/v1/trace/{trace}/logs')
    assert status == 200 and text.count(trace) >= len(want), (status, text[:300])
    times = [int(value[0]) for stream in json.loads(text)["data"]["result"] for value in stream["values"]]
    assert times == sorted(times) and len(times) == len(want), times


def check_counts(story):
    """After the demo has ended: what the agent counted, what Prometheus scraped and what LogQL counts are one number."""
    story.demo.stop()
    written = sum(1 for f in (story.folder / "logs").iterdir() for _ in f.open())

    def all_stored():
        result = story.instant('sum(count_over_time({job="services"}[1h]))')
        return result and int(float(result[0]["value"][1])) == written
    eventually(f"all {written} lines are stored", 20, all_stored)
    eventually("Prometheus has the agent's last count", 20,
               lambda: int(float(story.prometheus("sum(promtail_lines_total)")[0]["value"][1])) == written)
    errors = story.instant('sum(count_over_time({job="services"} | json | level="error" [1h]))')
    counted = story.prometheus("sum(promtail_log_errors_total)")
    assert float(errors[0]["value"][1]) == float(counted[0]["value"][1]), (errors, counted)
    observed = story.prometheus('histogram_quantile(0.99, sum by (le) (promtail_request_duration_seconds_bucket{service!=""}))')
    assert 0.1 < float(observed[0]["value"][1]) < 2, observed


def check_pages(story):
    """promtool has no complaint about the derived metrics, of both schemas, nor about the server's page."""
    for name in ("agent", "kvasir"):
        page = fetch(story.urls[name] + "/metrics")[1]
        assert name == "kvasir" or all(f"# TYPE promtail_{metric}" in page for metric in (
            "log_errors_total counter", "lines_total counter", "request_duration_seconds histogram")), page[:500]
        done = subprocess.run([TOOLS / "promtool", "check", "metrics"], input=page, capture_output=True, text=True)
        complaints = [line for line in (done.stdout + done.stderr).splitlines() if line and line.split()[0] not in TOLERATED_NAMES]
        assert not complaints, f"{name}: {complaints}"


def main():
    if not (TOOLS / "prometheus").exists() or not (TOOLS / "prometheus-alertmanager").exists():
        skip("prometheus and prometheus-alertmanager are not unpacked (./dev test does it)")
    with World() as world:
        story = Story(world)
        eventually("the first lines are stored", 30, lambda: story.lines('{job="services"}'))
        check_restart_keeps_for(story)
        eventually("recorded series are in Prometheus", 30, lambda: story.prometheus("service:lines:count1m"))
        check_fault_alerts(story)
        check_trace_links(story)
        check_pages(story)
        check_counts(story)
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
