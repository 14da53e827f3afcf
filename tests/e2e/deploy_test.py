#!/usr/bin/env python3
"""Files under deploy/ are what their readers accept: YAML and JSON parse, promtool and amtool check theirs, our programs ours."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from running import BIN, ROOT, TOOLS, skip

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


def main():
    if not (TOOLS / "promtool").exists():
        skip("promtool is not unpacked (./dev test does it)")
    for path in DEPLOY.rglob("*.json"):
        json.loads(path.read_text())
    run(TOOLS / "promtool", "check", "rules", DEPLOY / "prometheus/alerts.yaml", DEPLOY / "prometheus/kvasir-alerts.yaml")
    run(TOOLS / "promtool", "check", "config", "--syntax-only", DEPLOY / "prometheus/prometheus.yaml")
    run(TOOLS / "amtool", "check-config", DEPLOY / "alertmanager/alertmanager.yaml")
    run(BIN / "kvasir", f"-config.file={DEPLOY / 'kvasir/kvasir.yaml'}", "-verify-config")
    run(BIN / "kvasir-agent", f"-config.file={DEPLOY / 'kvasir/agent.yaml'}", "-check-syntax")
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
