#!/usr/bin/env python3
"""What a great many alert rules cost: the CPU of the whole server while they run over the workload.

    rules.py --bin build/release/bin --mib 256 --rules 1000 --groups 50 --seconds 120

The lines end when the rules begin. Each rule counts one service's errors of five minutes; the interval is one minute.
"""
import argparse
import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import run


def make_workload(options, folder):
    """Lines that end about now: how long they last is known only once they are made."""
    command = [Path(options.bin) / "kvasir-bench-data", "--out", folder, "--bytes", str(options.mib << 20), "--seed", "1"]
    for _ in range(2):
        subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)
        facts = json.loads((folder / "facts.json").read_text())
        command = command[:7] + ["--start", time.time_ns() - (facts["end_ns"] - facts["start_ns"])]
    return sorted((folder / "bodies").iterdir())


def services_of(url):
    values = json.loads(run.request(url, "GET", "/loki/api/v1/label/service/values?since=24h"))["data"]
    assert values, "the workload has services"
    return values


def add_rules(url, options):
    services = services_of(url)
    size = options.rules // options.groups
    for group in range(options.groups):
        rules = [{"alert": f"Errors{group}_{i}", "expr": 'sum(count_over_time({service="%s"} |= "error" [5m])) > %d' % (
            services[(group * size + i) % len(services)], i)} for i in range(size)]
        body = json.dumps({"name": f"g{group}", "interval": "1m", "rules": rules}).encode()
        run.request(url, "POST", "/loki/api/v1/rules/bench", body)


def counted(url):
    page = run.request(url, "GET", "/metrics").decode()
    names = ("rule_evaluations_total", "rule_evaluation_failures_total", "rule_group_iterations_missed_total")
    return [sum(float(v) for v in re.findall(rf"^loki_prometheus_{name}\{{.*\}} (\S+)$", page, re.M)) for name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kvasir-rules-"))
    server = None
    try:
        bodies = make_workload(options, folder)
        server = run.Server(str(Path(options.bin) / "kvasir"), folder)
        run.wait_ready(server.url)
        run.push_all(server.url, run.read_bodies(bodies))
        run.settle(server.pid)
        add_rules(server.url, options)
        before, cpu = counted(server.url), run.cpu_seconds(server.pid)
        time.sleep(options.seconds)
        cpu = run.cpu_seconds(server.pid) - cpu
        evaluations, failures, missed = (b - a for a, b in zip(before, counted(server.url)))
        print(f"{options.rules} rules in {options.groups} groups over {options.mib} MiB: {cpu:.2f} CPU-seconds in {options.seconds} s, "
              f"{100 * cpu / options.seconds:.1f} % of a core; {evaluations:.0f} evaluations, {failures:.0f} failed, {missed:.0f} missed")
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
