#!/usr/bin/env python3
"""Rules as a stranger meets them: broken files, changes while running, Alertmanagers that are down, secured or hard to reach, and a
Prometheus that is away while series are recorded."""
import base64
import json
import os
import ssl
import time
import urllib.parse
import urllib.request

from certificates import Authority
from packages import tool
from running import World, eventually, fetch, fetch_json, free_port

GOOD = """groups:
  - name: lines
    interval: 1s
    rules:
      - alert: Lines
        expr: sum by (service) (count_over_time({job="x"} | json | level="error" [1h])) > 0
        labels: {severity: page, secret: internal}
        annotations:
          lines: '{{ range logLines 2 }}{{ . }};{{ end }}'
          link: '{{ logLink "Loki" }}'
          traces: '{{ range traceIDs 3 }}{{ jaegerTrace "http://jaeger" . }} {{ end }}'
      - alert: Hidden
        expr: vector(1)
      - record: lines:count
        expr: sum(count_over_time({job="x"}[1h]))
"""

BROKEN = """groups:
  - name: half
    interval: 1s
    rules:
      - alert: Fine
        expr: vector(1)
      - alert: Misspelt
        expr: sum(rate({job="x"} |= [1m]))
      - alert: Template
        expr: vector(1)
        annotations: {a: '{{ nonsense }}'}
      - record: "no-metric-name"
        expr: vector(1)
      - alert: Regex
        expr: count_over_time({job="x"} |~ "(" [1m])
"""

PASSWORD_HASH = "$2b$04$VqatZ94t/MHw4sqevW3PKeTe.FVwh04UDY6yAVdQJngcmaysFdmve"  # of "test"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def push(url, *lines):
    values = [[str(time.time_ns() - (len(lines) - i) * 10**6), line] for i, line in enumerate(lines)]
    status, text = fetch(url + "/loki/api/v1/push", json.dumps({"streams": [{"stream": {"job": "x"}, "values": values}]}).encode(),
                         {"Content-Type": "application/json"})
    assert status == 204, text


class House:
    def __init__(self, world):
        self.world, self.folder = world, world.folder
        self.rules = self.folder / "rules/fake"
        self.rules.mkdir(parents=True)
        (self.rules / "good.yaml").write_text(GOOD)
        (self.rules / "broken.yaml").write_text(BROKEN)
        (self.rules / "no-yaml.yaml").write_text("groups:\n  - name: [unclosed\n")
        self.authority = Authority(self.folder)
        self.ports = {name: free_port() for name in ("kvasir", "alertmanager", "dead", "prometheus")}
        self.start_alertmanager()
        self.kvasir, self.url = world.kvasir(self.config(), self.ports["kvasir"])

    def start_alertmanager(self):
        cert, key = self.authority.issue("alertmanager")
        web, config = self.folder / "web.yaml", self.folder / "alertmanager.yaml"
        web.write_text(json.dumps({"tls_server_config": {"cert_file": str(cert), "key_file": str(key)},
                                   "basic_auth_users": {"kvasir": PASSWORD_HASH}}))
        config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        self.world.run("alertmanager", tool("prometheus-alertmanager"), f"--config.file={config}", f"--storage.path={self.folder}/am",
                       f"--web.config.file={web}", f"--web.listen-address=127.0.0.1:{self.ports['alertmanager']}",
                       "--cluster.listen-address=")

    def config(self):
        return "ruler: " + json.dumps({
            "storage": {"type": "local", "local": {"directory": str(self.folder / "rules")}},
            "alertmanager_url": f"http://127.0.0.1:{self.ports['dead']}, https://127.0.0.1:{self.ports['alertmanager']}",
            "alertmanager_client": {"basic_auth_username": "kvasir", "basic_auth_password": "test", "tls_ca_path": str(self.authority.cert)},
            "alert_relabel_configs": [{"source_labels": ["alertname"], "regex": "Hidden", "action": "drop"},
                                      {"regex": "secret", "action": "labeldrop"}],
            "external_labels": {"cluster": "eu"}, "external_url": "http://grafana.example", "poll_interval": "1s", "resend_delay": "1s",
            "remote_write": {"enabled": True, "client": {"url": f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/write"}}}) + "\n"

    def alerts(self, **filters):
        """{alertname: alert} as the secured Alertmanager has them."""
        url = f"https://127.0.0.1:{self.ports['alertmanager']}/api/v2/alerts?" + urllib.parse.urlencode(filters)
        request = urllib.request.Request(url, headers={"Authorization": "Basic " + base64.b64encode(b"kvasir:test").decode()})
        context = ssl.create_default_context(cafile=str(self.authority.cert))
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            return {alert["labels"]["alertname"]: alert for alert in json.load(answer)}

    def rule_states(self):
        groups = fetch_json(self.url + "/prometheus/api/v1/rules")["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}


def check_broken_files(house):
    states = eventually("the rules are known", 20, lambda: house.rule_states().get("Fine", {}).get("health") == "ok" and house.rule_states())
    assert states["Misspelt"]["health"] == "err" and "parse error at line 0, col 23" in states["Misspelt"]["lastError"], states["Misspelt"]
    assert states["Template"]["health"] == "err" and "nonsense" in states["Template"]["lastError"], states["Template"]
    assert states["no-metric-name"]["health"] == "err", states["no-metric-name"]
    eventually("a rule that breaks as it runs is told", 10, lambda: house.rule_states()["Regex"]["health"] == "err")
    assert 'loki_ruler_config_last_reload_successful{user="fake"} 0' in fetch(house.url + "/metrics")[1]
    for words in (("broken.yaml", "half", "Misspelt", "line 7"), ("broken.yaml", "half", "Template", "line 9"),
                  ("broken.yaml", "half", "no-metric-name", "line 12"), ("no-yaml.yaml", "line 3"),
                  ("broken.yaml", "half", "Regex", "line=14", "missing closing")):
        eventually(f"{words} stand in a line of the log", 10,
                   lambda: any(all(word in line for word in words) for line in house.kvasir.log.read_text().splitlines()))


def check_evidence(house):
    push(house.url, '{"level":"error","service":"shop","n":1,"trace_id":"%s"}' % TRACE, '{"level":"info","service":"shop","n":2}',
         '{"level":"error","service":"shop","n":3}', '{"level":"error","service":"till","n":4}')
    alert = eventually("the alert is in the secured Alertmanager", 30, lambda: house.alerts().get("Lines"))
    assert alert["labels"]["cluster"] == "eu" and "secret" not in alert["labels"], alert["labels"]
    lines = ('{"level":"error","service":"shop","n":3};{"level":"error","service":"shop","n":1,"trace_id":"%s"};' % TRACE)

    def with_all_lines():  # the first slot may lie between two of them
        shop = house.alerts(filter='service="shop"')["Lines"]
        return shop if shop["annotations"]["lines"] == lines else None
    shop = eventually("both lines stand in the alert", 20, with_all_lines)
    assert shop["annotations"]["traces"] == f"http://jaeger/trace/{TRACE} "
    left = json.loads(urllib.parse.parse_qs(urllib.parse.urlsplit(shop["annotations"]["link"]).query)["left"][0])
    span = {"start": int(left["range"]["from"]) * 10**6, "end": int(left["range"]["to"]) * 10**6}
    linked = fetch_json(house.url + "/loki/api/v1/query_range", query=left["queries"][0]["expr"], **span)["data"]["result"]
    assert sorted(json.loads(line)["n"] for stream in linked for _, line in stream["values"]) == [1, 3], linked
    assert "Hidden" not in house.alerts() and house.rule_states()["Hidden"]["state"] == "firing"


def check_changes(house):
    """Files change while the server runs; the API writes into the same folder, and the group it writes is there after a restart."""
    (house.rules / "broken.yaml").write_text(BROKEN.replace("|= [1m]", '|= "x" [1m]'))
    eventually("the mended rule runs", 20, lambda: house.rule_states()["Misspelt"]["health"] == "ok")
    group = "name: api\ninterval: 1s\nrules:\n  - alert: FromApi\n    expr: vector(1)\n"
    status, text = fetch(house.url + "/loki/api/v1/rules/space", group.encode(), {"Content-Type": "application/yaml"})
    assert status == 202, text
    eventually("the alert of the API fires", 20, lambda: house.alerts().get("FromApi"))
    status, text = fetch(house.url + "/loki/api/v1/rules/space", b"name: api\nrules: [{alert: A, expr: '{'}]\n")
    assert status == 400 and "parse error" in text, text
    check_writes_beside_others(house, group)
    (house.rules / "space").write_text("# ours\n" + (house.rules / "space").read_text() + "owner: ops\n")
    assert fetch(house.url + "/loki/api/v1/rules/space", group.encode())[0] == 202
    text = (house.rules / "space").read_text()
    assert text.startswith("# ours\n") and text.endswith("owner: ops\n"), text
    (house.rules / "good.yaml").unlink()
    eventually("the rules of the file that is gone are gone", 20, lambda: "Lines" not in house.rule_states())
    (house.rules / "good.yaml").write_text(GOOD)


def check_writes_beside_others(house, group):
    """A log query is taken and fails when it runs, as with Loki; a file that cannot be read is named."""
    logs = b"name: logs\ninterval: 1s\nrules: [{alert: OnlyLines, expr: '{job=\"x\"}'}]\n"
    assert fetch(house.url + "/loki/api/v1/rules/logs", logs)[0] == 202
    eventually("the rule of lines fails", 20,
               lambda: house.rule_states()["OnlyLines"]["lastError"] == "rule result is not a vector or scalar")
    assert fetch(house.url + "/loki/api/v1/rules/logs", method="DELETE")[0] == 202
    status, text = fetch(house.url + "/loki/api/v1/rules/no-yaml.yaml", group.encode())
    assert status == 500 and "fake/no-yaml.yaml" in text and "line 3" in text, text


def check_recording_while_away(house):
    """The queue on disk holds what was recorded while Prometheus was away, over a restart of the server too."""
    queue = house.folder / "data/ruler/remote-write"
    eventually("requests wait on disk", 20, lambda: sum(len(files) for _, _, files in os.walk(queue)) > 3)
    began = time.time()
    house.kvasir.stop()
    house.kvasir.start()
    eventually("kvasir is back", 20, lambda: fetch(house.url + "/ready")[0] == 200)
    (house.folder / "prometheus.yaml").write_text("global: {}\n")
    house.world.run("prometheus", tool("prometheus"), f"--config.file={house.folder}/prometheus.yaml", "--web.enable-remote-write-receiver",
                    f"--storage.tsdb.path={house.folder}/prom", f"--web.listen-address=127.0.0.1:{house.ports['prometheus']}")
    prometheus = f"http://127.0.0.1:{house.ports['prometheus']}"

    def samples():
        result = fetch_json(prometheus + "/api/v1/query", query="lines:count[10m]")["data"]["result"]
        return [float(when) for when, _ in result[0]["values"]]
    eventually("samples from before the restart arrive", 40, lambda: min(samples()) < began - 2)
    eventually("the queue is empty", 40, lambda: sum(len(files) for _, _, files in os.walk(queue)) <= 2)
    eventually("the recorded value stands on /metrics", 20, lambda: 'lines:count{tenant="fake"} 4' in fetch(house.url + "/metrics")[1])

    def present(query):
        return fetch_json(prometheus + "/api/v1/query", query=query)["data"]["result"]
    eventually("series are there", 20, lambda: present("lines:count") and present('ALERTS{alertname="FromApi"}'))
    eventually("both groups ran again", 20, lambda: all(house.rule_states()[name]["health"] == "ok" for name in ("FromApi", "lines:count")))
    (house.rules / "good.yaml").unlink()
    status, text = fetch(house.url + "/loki/api/v1/rules/space", method="DELETE")
    assert status == 202, text
    for query in ("lines:count", 'ALERTS{alertname="FromApi"}', "ALERTS_FOR_STATE"):
        # Without an end of its own a series would stay for five minutes.
        eventually(f"{query} has ended", 20, lambda: not [r for r in present(query) if r["metric"].get("alertname") not in ("Fine", "Misspelt")])


def main():
    tool("prometheus"), tool("prometheus-alertmanager")
    with World() as world:
        house = House(world)
        check_broken_files(house)
        check_evidence(house)
        check_changes(house)
        check_recording_while_away(house)
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
