#!/usr/bin/env python3
"""The table of docs/performance.md: ingest and queries of a server that speaks Loki's API, as multiples of ripgrep's time.

    run.py --bin build/release/bin                     # starts our server on a free port, measures, stops it
    run.py --bin BIN --url http://127.0.0.1:3100 --pid 4711 --data DIR   # measures a server that is already running

Only the Python standard library, `rg`, `zstd` and kvasir-bench-data. Every answer is compared with a count made by ripgrep
where there is one; a wrong answer is shown as WRONG and fails the run.
"""
import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
JSON = '{cluster="eu-1", format="json"}'
ABSENT = "00deadbeef00deadbeef00deadbeef00"


def queries(facts):
    """(name, instant query or (query, step), goal, Loki 3.7.6, VictoriaLogs 1.26, rg arguments of the reference count)."""
    two_hours = "[2h]"
    return [
        ("needle: one trace id", ("log", f'{{cluster="eu-1"}} |= "{facts["trace_id"]}"'), 0.008, 24, 0.03,
         ["-F", facts["trace_id"]]),
        ("needle that is not there", ("log", f'{{cluster="eu-1"}} |= "{ABSENT}"'), 0.008, 24, 0.02, ["-F", ABSENT]),
        ("count of a rare word", ("instant", f'sum(count_over_time({{cluster="eu-1"}} |= "OOMKilled" {two_hours}))'), 0.03, 19,
         0.55, ["-F", "OOMKilled"]),
        ("sum by (service)(count_over_time([1m])), 120 steps",
         ("range", 'sum by (service)(count_over_time({cluster="eu-1"}[1m]))'), 0.02, 49, 0.46, None),
        ('sum by (service)(rate(|= "error" [1m]))', ("range", 'sum by (service)(rate({cluster="eu-1"} |= "error" [1m]))'), 0.1,
         25, 1.17, None),
        ("json | status >= 500 by level",
         ("instant", f"sum by (level)(count_over_time({JSON} | json | status >= 500 {two_hours}))"), 0.05, 25, 0.10,
         [r'"status": ?5\d\d']),
        ("quantile_over_time(0.99, json | unwrap duration_ms [5m])",
         ("range", f"quantile_over_time(0.99, {JSON} | json | unwrap duration_ms [5m]) by (service)"), 0.2, 44, 5.0, None),
        ('count |~ "took 8[0-9]{2}ms"',
         ("instant", f'sum(count_over_time({{cluster="eu-1"}} |~ "took 8[0-9]{{2}}ms" {two_hours}))'), 0.3, 24, 1.8,
         ["took 8[0-9]{2}ms"]),
        ("logfmt | duration > 500ms by level",
         ("instant", 'sum by (level)(count_over_time({cluster="eu-1", format="logfmt"} | logfmt | duration > 500ms [2h]))'),
         0.2, 12, 4.1, None),
        ("topk(10, sum by (path)(pattern [5m]))",
         ("range", 'topk(10, sum by (path)(count_over_time({cluster="eu-1", format="nginx"} '
          '| pattern `<_> - - [<_>] "<method> <path> <_>" <status> <_>` [5m])))'), 0.15, 5.7, 1.3, None),
        ("newest 100 lines of one service", ("log", '{cluster="eu-1", service="checkout"}'), 0.02, 0.26, 0.34, None),
    ]


class Server:
    """Our own server on a free port with its data in a temporary folder."""

    def __init__(self, binary, folder, limits="", extra=""):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.data = Path(folder) / "data"
        config = Path(folder) / "kvasir.yaml"
        config.write_text(
            "auth_enabled: false\nserver: {http_listen_address: 127.0.0.1}\nlimits_config:\n  reject_old_samples: false\n  ingestion_rate_mb: 4096\n  ingestion_burst_size_mb: 8192\n"
            "  per_stream_rate_limit: 4GB\n  per_stream_rate_limit_burst: 8GB\n" + limits +
            "query_range:\n  cache_results: false\n" + extra)
        self.process = subprocess.Popen(
            [binary, f"-config.file={config}", f"-server.http-listen-port={port}", f"-common.path-prefix={self.data}"],
            stdout=subprocess.DEVNULL, stderr=open(Path(folder) / "server.log", "w"))
        self.pid = self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def request(url, method, target, body=None, headers=None, connection=None):
    parts = urllib.parse.urlsplit(url)
    connection = connection or http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    connection.request(method, target, body, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {target[:200]}: {answer.status} {text[:300]!r}")
    return text


def wait_ready(url):
    for _ in range(300):
        try:
            request(url, "GET", "/ready")
            return
        except (OSError, RuntimeError):
            time.sleep(0.1)
    raise RuntimeError("the server does not become ready")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


def disk_bytes(folder):
    return sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())


def read_bodies(paths):
    return (path.read_bytes() for path in sorted(paths))


def push_all(url, bodies, connections=4):
    """Every body, as it comes, over that many connections; the first error ends it."""
    errors, lock, rest = [], threading.Lock(), iter(bodies)

    def work():
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
        while not errors:
            try:
                with lock:
                    body = next(rest, None)
                if body is None:
                    return
                request(url, "POST", "/loki/api/v1/push", body, {"Content-Type": "application/x-protobuf"}, connection)
            except Exception as error:  # noqa: BLE001 - reported by the caller
                errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def run_query(url, facts, kind, query):
    start, end = facts["start_ns"], facts["end_ns"]
    if kind == "instant":
        params, route = {"query": query, "time": str(end)}, "query"
    elif kind == "range":
        params, route = {"query": query, "start": str(start), "end": str(end), "step": "60"}, "query_range"
    else:
        params, route = {"query": query, "start": str(start), "end": str(end), "limit": "100"}, "query_range"
    begin = time.perf_counter()
    text = request(url, "GET", f"/loki/api/v1/{route}?{urllib.parse.urlencode(params)}")
    return time.perf_counter() - begin, json.loads(text)["data"]


def count_of(data):
    """Lines found, or the sum of an instant vector."""
    if data["resultType"] == "streams":
        return sum(len(s["values"]) for s in data["result"])
    if data["resultType"] == "vector":
        return round(sum(float(s["value"][1]) for s in data["result"]))
    return None


def rg_count(raw, arguments):
    out = subprocess.run(["rg", "-c", *arguments, str(raw)], capture_output=True, text=True).stdout.strip()
    return int(out) if out else 0


def rg_seconds(raw):
    best = 1e9
    for _ in range(7):
        begin = time.perf_counter()
        subprocess.run(["rg", "-cF", ABSENT, str(raw)], capture_output=True)
        best = min(best, time.perf_counter() - begin)
    return best


def make_data(options, folder):
    program = Path(options.bin) / "kvasir-bench-data"
    subprocess.run([program, "--out", folder, "--bytes", str(options.bytes), "--seed", str(options.seed), "--pods",
                    str(options.pods)], check=True)
    return json.loads((Path(folder) / "facts.json").read_text())


def row(name, goal, loki, victoria, ours, note=""):
    print(f"| {name} | {loki} | {victoria} | {goal} | {ours} | {note} |", flush=True)


def measure_ingest(options, url, pid, data, folder, facts):
    gib = facts["raw_bytes"] / (1 << 30)
    before = cpu_seconds(pid)
    begin = time.perf_counter()
    push_all(url, read_bodies((folder / "bodies").iterdir()))
    pushed = time.perf_counter() - begin
    request(url, "POST", "/flush", b"")
    settle(pid)
    cpu = (cpu_seconds(pid) - before) / gib
    row("ingest, CPU-seconds per raw GiB", "<= 8", 61, 55, f"{cpu:.1f}", f"{pushed:.1f} s wall for the pushes")
    if data:
        row("bytes on disk / raw bytes", "<= 0.125", 0.24, 0.22, f"{disk_bytes(data) / facts['raw_bytes']:.3f}",
            f"zstd -3 of the raw file: {zstd_ratio(folder / 'raw.log'):.3f}")
    row("peak memory during ingest, MiB", "<= 300", 1050, 371, f"{peak_mib(pid):.0f}")


def zstd_ratio(raw):
    out = subprocess.run(f"zstd -3 -q -c '{raw}' | wc -c", shell=True, capture_output=True, text=True).stdout
    return int(out) / raw.stat().st_size


def settle(pid):
    """Waits until the server has been idle for two seconds (background sealing and merging are done)."""
    idle = 0
    for _ in range(600):
        before = cpu_seconds(pid)
        time.sleep(0.5)
        idle = idle + 1 if cpu_seconds(pid) - before < 0.02 else 0
        if idle >= 4:
            return


def measure_queries(options, url, facts, raw):
    wrong = 0
    rg = rg_seconds(raw)
    print(f"\nripgrep, absent needle over the raw file: {rg:.3f} s (the unit of the query rows)\n")
    for name, (kind, query), goal, loki, victoria, reference in queries(facts):
        try:
            times = []
            for _ in range(options.runs):
                seconds, data = run_query(url, facts, kind, query)
                times.append(seconds)
        except RuntimeError as error:
            row(name, f"<= {goal}", loki, victoria, "failed", str(error)[:120])
            wrong += 1
            continue
        note = f"{min(times) * 1000:.1f} ms"
        if reference is not None:
            want = rg_count(raw, reference)
            got = count_of(data)
            want = min(want, 100) if kind == "log" else want
            if got != want:
                note, wrong = f"WRONG: {got}, ripgrep counts {want}", wrong + 1
        row(name, f"<= {goal}", loki, victoria, f"{min(times) / rg:.3f}", note)
    return wrong


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--bytes", type=int, default=1 << 30, help="raw bytes of the workload")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pods", type=int, default=4, help="streams for each of 40 services")
    parser.add_argument("--runs", type=int, default=5, help="times each query is asked; the minimum counts")
    parser.add_argument("--url", help="a server that is already running; then --pid and --data tell where it lives")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--data")
    parser.add_argument("--work", help="folder for the workload (kept); default: a temporary one")
    return parser.parse_args()


def main():
    options = parse_arguments()
    folder = Path(options.work or tempfile.mkdtemp(prefix="kvasir-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    server = None
    try:
        facts = json.loads((folder / "facts.json").read_text()) if (folder / "facts.json").exists() else make_data(options, folder)
        print(f'{facts["lines"]} lines, {facts["raw_bytes"]} bytes, {facts["streams"]} streams, seed {facts["seed"]}\n')
        run_folder = tempfile.mkdtemp(prefix="kvasir-bench-run-")
        if not options.url:
            server = Server(str(Path(options.bin) / "kvasir"), run_folder)
        url, pid = (server.url, server.pid) if server else (options.url, options.pid)
        wait_ready(url)
        print("| | Loki 3.7.6 | VictoriaLogs 1.26 | goal | here | |\n| --- | --- | --- | --- | --- | --- |")
        measure_ingest(options, url, pid, server.data if server else options.data, folder, facts)
        wrong = measure_queries(options, url, facts, folder / "raw.log")
        return 1 if wrong else 0
    finally:
        if server:
            server.stop()
            shutil.rmtree(run_folder, ignore_errors=True)
        if not options.work:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
