#!/usr/bin/env python3
"""What merging costs those who push: latency of pushes at a steady rate while segments are merged, and while none are.

    merge.py --bin build/release/bin [--mib 384] [--rate 4] [--budgets "50 64MB" "0 0B"]

One round for each budget, each on a server of its own. Half of the workload lies there in small segments when the other half is
pushed at a steady rate. Latency counts from the moment at which a push was due: one that had to wait for a slow one before it counts
its wait. All the while the lines of the first half are counted every second: a count that changes is shown as WRONG and fails the
run. What merging used is read from /metrics.
"""
import argparse
import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

import run


def metric(url, name):
    text = run.request(url, "GET", "/metrics").decode()
    found = re.search(rf"^{name} ([0-9.e+]+)$", text, re.M)
    return float(found[1]) if found else 0.0


class Pusher:
    """Bodies at a steady rate over a few connections; latency of each from when it was due."""

    def __init__(self, url, bodies, seconds_each, connections=4):
        self.url, self.bodies, self.seconds_each = url, bodies, seconds_each
        self.lock, self.next, self.begin = threading.Lock(), 0, time.perf_counter()
        self.latencies, self.errors = [], []
        self.threads = [threading.Thread(target=self.work) for _ in range(connections)]

    def work(self):
        parts = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
        while not self.errors:
            with self.lock:
                if self.next == len(self.bodies):
                    return
                number, self.next = self.next, self.next + 1
            due = self.begin + number * self.seconds_each
            time.sleep(max(0.0, due - time.perf_counter()))
            body = self.bodies[number].read_bytes()
            try:
                run.request(self.url, "POST", "/loki/api/v1/push", body, {"Content-Type": "application/x-protobuf"}, connection)
            except Exception as error:  # noqa: BLE001 - reported by the caller
                self.errors.append(error)
            self.latencies.append(time.perf_counter() - due)

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        if self.errors:
            raise self.errors[0]


def count_lines(url, end_ns):
    query = 'sum(count_over_time({cluster="eu-1"}[3h]))'
    return run.count_of(run.run_query(url, {"start_ns": 0, "end_ns": end_ns}, "instant", query)[1])


def newest_ns(url, facts):
    data = run.run_query(url, facts, "log", '{cluster="eu-1"}')[1]
    return max(int(value[0]) for stream in data["result"] for value in stream["values"])


class Watcher:
    """Every second: what merges have used, and whether a count of lines that do not change any more stays what it was."""

    def __init__(self, url, end_ns):
        self.url, self.end_ns, self.want = url, end_ns, count_lines(url, end_ns)
        self.samples, self.wrong, self.stop = [], [], threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.stop.wait(1.0):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - shown with the counts that are wrong
                self.wrong.append(str(error))

    def look(self):
        self.samples.append((time.perf_counter(), metric(self.url, "kvasir_merge_cpu_seconds_total"),
                             metric(self.url, "kvasir_merge_bytes_total")))
        got = count_lines(self.url, self.end_ns)
        if got != self.want:
            self.wrong.append(got)

    def end(self):
        self.stop.set()
        self.thread.join()

    def greatest(self, field, span):
        """Use a second, over the spans of that many seconds in which it was greatest."""
        most = 0.0
        for i, first in enumerate(self.samples):
            later = next((s for s in self.samples[i + 1:] if s[0] - first[0] >= span), None)
            if later:
                most = max(most, (later[field] - first[field]) / (later[0] - first[0]))
        return most


def measure(options, folder, facts, budget):
    base = tempfile.mkdtemp(dir=folder)
    server = run.Server(str(Path(options.bin) / "kvasir"), base, extra=f"kvasir: {{{budget}}}\n")
    try:
        run.wait_ready(server.url)
        bodies = sorted((folder / "bodies").iterdir())
        half = len(bodies) // 2
        for i in range(0, half, options.segment_bodies):  # small segments that wait to be merged
            run.push_all(server.url, run.read_bodies(bodies[i:min(half, i + options.segment_bodies)]))
            run.request(server.url, "POST", "/flush", b"")
        watcher = Watcher(server.url, newest_ns(server.url, facts) + 1)
        before, begin = run.cpu_seconds(server.pid), time.perf_counter()
        pusher = Pusher(server.url, bodies[half:], 1.0 / options.rate)
        pusher.run()
        share = (run.cpu_seconds(server.pid) - before) / (time.perf_counter() - begin)
        watcher.end()
        run.request(server.url, "POST", "/flush", b"")
        latency = sorted(pusher.latencies)
        return {"p50": latency[len(latency) // 2], "p99": latency[len(latency) * 99 // 100], "max": latency[-1], "cpu": share,
                "merge_cpu": watcher.greatest(1, options.span), "merge_rate": watcher.greatest(2, options.span),
                "merges": metric(server.url, "kvasir_merges_total"), "rows": metric(server.url, "kvasir_merge_rows_total"),
                "copied": metric(server.url, "kvasir_merge_copied_rows_total"), "peak": run.peak_mib(server.pid),
                "seconds": metric(server.url, "kvasir_merge_cpu_seconds_total"), "wrong": watcher.wrong,
                "lines": count_lines(server.url, facts["end_ns"])}
    finally:
        server.stop()
        shutil.rmtree(base, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--mib", type=int, default=384)
    parser.add_argument("--rate", type=float, default=4, help="pushes of about 1 MiB a second")
    parser.add_argument("--segment-bodies", type=int, default=8, help="MiB of each small segment")
    parser.add_argument("--span", type=float, default=4, help="seconds over which use of CPU and disk is shown")
    parser.add_argument("--budgets", nargs="+", default=["1 1B", "50 64MB", "20 64MB", "0 8MB", "0 0B"],
                        help="kvasir.merge_cpu_percent and merge_rate of each round; 1 1B: as good as no merging")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kvasir-merge-"))
    failed = False
    try:
        subprocess.run([Path(options.bin) / "kvasir-bench-data", "--out", folder, "--bytes", str(options.mib << 20), "--seed", "1"],
                       check=True, stdout=subprocess.DEVNULL)
        facts = json.loads((folder / "facts.json").read_text())
        print(f"{options.mib} MiB, half of it waiting in segments of {options.segment_bodies} MiB, the rest pushed at {options.rate:g} MiB/s\n")
        print("| merge_cpu_percent, merge_rate | push p50, ms | p99 | max | server, cores | merging, cores | MB/s | merges | rows merged, of them copied |"
              " merging, CPU-s | peak, MiB |\n| " + "--- | " * 11)
        for budget in options.budgets:
            percent, rate = budget.split()
            out = measure(options, folder, facts, f"merge_cpu_percent: {percent}, merge_rate: {rate}")
            if out["wrong"] or out["lines"] != facts["lines"]:
                failed = True
                print(f'WRONG: {facts["lines"]} lines pushed, {out["lines"]} found; while merging {out["wrong"]}')
            print(f'| {percent} %, {rate} | {out["p50"] * 1000:.0f} | {out["p99"] * 1000:.0f} | {out["max"] * 1000:.0f} | {out["cpu"]:.2f} | '
                  f'{out["merge_cpu"]:.2f} | {out["merge_rate"] / 1e6:.1f} | {out["merges"]:.0f} | {out["rows"]:.0f}, {out["copied"]:.0f} | '
                  f'{out["seconds"]:.1f} | {out["peak"]:.0f} |', flush=True)
        return 1 if failed else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
