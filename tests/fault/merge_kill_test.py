#!/usr/bin/env python3
"""Servers are killed (SIGKILL) while they merge segments: every line is there once afterwards, no file is damaged or left over.

Several servers at once, as a merge begins no sooner than a quarter of a minute after the start. Each is killed at another moment: in
the middle of reading, when the new file is being written, and when it has its name but the manifest may not know of it. Before that
they are killed with everything in place and merging held back, however long that took. The restarts replay a log, too: meanwhile
/ready says how far it is.
"""
import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from running import BIN, PATIENCE, World, eventually, fetch, fetch_json, free_port  # noqa: E402

SEGMENTS = 10
LINES = 1500          # of each segment
LOG_PUSHES = 12       # of LINES long lines: they are only in the log when the server is killed
HELD = "1B"           # a merge rate at which none comes to its end
MOMENTS = ["reading", "reading", "writing", "writing", "named", "named"]
CONFIG = """
kvasir: {{merge_cpu_percent: 0, merge_rate: {rate}}}
limits_config: {{max_entries_limit_per_query: 1000000, ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000,
                per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB}}
"""


def push(url, number, start_ns, padding=""):
    lines = [(start_ns + (number * LINES + i) // 2 * 1000, f"segment {number} line {i} trace={number * LINES + i:032x}{padding}")
             for i in range(LINES)]
    streams = [{"stream": {"part": str(part)}, "values": [[str(ns), text] for ns, text in lines[part::3]]} for part in range(3)]
    status, text = fetch(url + "/loki/api/v1/push", json.dumps({"streams": streams}).encode(), {"Content-Type": "application/json"})
    assert status == 204, (status, text)
    return lines


def metric(url, name):
    found = re.search(rf"^{name} ([0-9.e+]+)$", fetch(url + "/metrics")[1], re.M)
    return float(found[1]) if found else 0.0


def wait_for(moment, url, folder):
    """Returns in that moment of the first merge."""
    there = set(folder.iterdir())
    end = time.monotonic() + 25 * PATIENCE
    while time.monotonic() < end:
        if moment == "reading":
            if metric(url, "kvasir_merge_bytes_total") > 0:
                return
            time.sleep(0.05)
            continue
        new = set(folder.iterdir()) - there
        if any(moment == "writing" or file.suffix == ".seg" for file in new):
            return
        time.sleep(0.001)
    raise AssertionError(f"no merge within {25 * PATIENCE} s ({moment})")


def found_lines(url, start_ns):
    answer = fetch_json(url + "/loki/api/v1/query_range", query='{part=~".+"}', start=start_ns - 1, direction="forward",
                        end=start_ns + 3600 * 10**9, limit=1000000)
    return sorted((int(ns), line) for stream in answer["data"]["result"] for ns, line, *_ in stream["values"])


def watch_start(url, server):
    """Starts the server; what /ready said until it was ready."""
    said = []
    server.start()
    end = time.monotonic() + 20 * PATIENCE
    while time.monotonic() < end:
        try:
            status, text = fetch(url + "/ready")
        except OSError:
            time.sleep(0.005)
            continue
        if status == 200:
            return said
        said.append(text.strip())
    raise AssertionError(f"not ready after {20 * PATIENCE} s")


def kill_while_merging(moment, told):
    with World() as world:
        server, url = world.kvasir(CONFIG.format(rate=HELD), free_port())
        start_ns = time.time_ns() - 600 * 10**9
        lines = []
        for number in range(SEGMENTS):
            lines += push(url, number, start_ns)
            assert fetch(url + "/flush", b"")[0] == 204
        for number in range(SEGMENTS, SEGMENTS + LOG_PUSHES):
            lines += push(url, number, start_ns, " " + "x" * 800)
        server.stop(signal.SIGKILL)
        config = world.folder / "kvasir.yaml"
        config.write_text(config.read_text().replace(f"merge_rate: {HELD}", "merge_rate: 20KB" if moment == "reading" else "merge_rate: 0B"))
        told += watch_start(url, server)
        folder = next((world.folder / "data" / "tenants").glob("*/segments"))
        wait_for(moment, url, folder)
        server.stop(signal.SIGKILL)
        told += watch_start(url, server)
        assert not list(folder.glob("*.tmp")), list(folder.iterdir())
        assert found_lines(url, start_ns) == sorted(lines), f"{moment}: not the lines that were pushed, each once"
        assert fetch(url + "/flush", b"")[0] == 204
        server.stop(signal.SIGTERM)
        verified = subprocess.run([BIN / "kvasirctl", "verify", world.folder / "data"], capture_output=True, text=True)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        print(f"{moment}: {len(lines)} lines, each once; {verified.stdout.strip()}", flush=True)


def main():
    told, failures = [], []

    def run(moment):
        try:
            kill_while_merging(moment, told)
        except BaseException as error:
            failures.append(f"{moment}: {error!r}"[:2000])

    threads = [threading.Thread(target=run, args=(moment,)) for moment in MOMENTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, "\n".join(failures)
    percents = [re.fullmatch(r"Ingester not ready: replaying the log, (\d+) %", text) for text in told]
    assert percents and all(percents), f"/ready said {told}"
    print("while the log was replayed /ready said", sorted({int(percent[1]) for percent in percents}), "%")
    print(f"{len(MOMENTS)} passed, 0 failed")


if __name__ == "__main__":
    main()
