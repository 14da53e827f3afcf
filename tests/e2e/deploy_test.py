#!/usr/bin/env python3
"""Files under deploy/ are what their readers accept: YAML and JSON parse, promtool and amtool check theirs, our programs ours."""
import json
import re
import subprocess
import urllib.parse

from running import BIN, ROOT, TOOLS, World, fetch, skip

DEPLOY = ROOT / "deploy"


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"


def queries_of(node):
    """Every `expr` of a Loki data source in a dashboard."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str) and node.get("datasource", {}).get("type") == "loki":
            yield node["expr"]
        for value in node.values():
            yield from queries_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from queries_of(value)


def check_queries(queries):
    """Our parser takes each query, once Grafana has put its variables in."""
    assert len(queries) > 10, "the dashboards hold queries"
    with World() as world:
        _, url = world.kvasir()
        for name, query in queries:
            text = re.sub(r"\$__interval", "1m", query)
            text = re.sub(r"\$\w+", "x", text)
            status, answer = fetch(url + "/loki/api/v1/format_query?" + urllib.parse.urlencode({"query": text}))
            assert status == 200, f"{name}: {text}: {answer}"


def main():
    if not (TOOLS / "promtool").exists():
        skip("promtool is not unpacked (./dev test does it)")
    queries = [(path.name, query) for path in DEPLOY.rglob("*.json") for query in queries_of(json.loads(path.read_text()))]
    check_queries(queries)
    run(TOOLS / "promtool", "check", "rules", DEPLOY / "prometheus/alerts.yaml", DEPLOY / "prometheus/kvasir-alerts.yaml")
    run(TOOLS / "promtool", "check", "config", "--syntax-only", DEPLOY / "prometheus/prometheus.yaml")
    run(TOOLS / "amtool", "check-config", DEPLOY / "alertmanager/alertmanager.yaml")
    run(BIN / "kvasir", f"-config.file={DEPLOY / 'kvasir/kvasir.yaml'}", "-verify-config")
    run(BIN / "kvasir-agent", f"-config.file={DEPLOY / 'kvasir/agent.yaml'}", "-check-syntax")
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
