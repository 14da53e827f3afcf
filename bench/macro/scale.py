#!/usr/bin/env python3
"""How cost grows: ingest, size, memory, label values and the queries of run.py at several sizes and numbers of streams.

    scale.py --bin build/release/bin --mib 256 --streams 160 16000 200000 --queries
    scale.py --bin build/release/bin --mib 1024 4096 16384 --streams 160 --queries --folder /somewhere/with/room
    scale.py --bin build/release/bin --mib 256 1024 --rg --queries

One table row for each size and number of streams. The workload is pushed as it is made, so that only what the server stores takes
room: about an eighth of the raw size. With --rg it is written to a file first, and queries are shown as multiples of ripgrep's time
over it too.
"""
import argparse
import json
import shutil
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

import run

SERVICES = 40  # of the generator


def best_of(runs, ask):
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        answer = ask()
        times.append(time.perf_counter() - begin)
    return min(times), answer


def names_of(url, path, facts, query=""):
    span = {"start": str(facts["start_ns"]), "end": str(facts["end_ns"])}
    if query:
        span["match[]"] = query
    text = run.request(url, "GET", f"{path}?{urllib.parse.urlencode(span)}")
    return text


def bodies_of(pipe):
    """Bodies behind their lengths."""
    while head := pipe.read(4):
        yield pipe.read(int.from_bytes(head, "little"))


def push(options, server, folder, arguments):
    """Makes and pushes the workload; gives what was made."""
    if options.rg:
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        run.push_all(server.url, run.read_bodies((folder / "bodies").iterdir()))
    else:
        with subprocess.Popen([*arguments, "--stream"], stdout=subprocess.PIPE) as maker:
            run.push_all(server.url, bodies_of(maker.stdout))
        if maker.returncode != 0:
            raise RuntimeError("kvasir-bench-data failed")
    return json.loads((folder / "facts.json").read_text())


def ingest(options, server, folder, arguments):
    before, begin = run.cpu_seconds(server.pid), time.perf_counter()
    facts = push(options, server, folder, arguments)
    pushed = time.perf_counter() - begin
    gib = facts["raw_bytes"] / (1 << 30)
    run.request(server.url, "POST", "/flush", b"")
    run.settle(server.pid)
    after_flush = run.cpu_seconds(server.pid)
    out = {"cpu": (after_flush - before) / gib, "wall": pushed, "peak": run.peak_mib(server.pid),
           "disk": run.disk_bytes(server.data) / facts["raw_bytes"],
           "segments": sum(f.stat().st_size for f in server.data.rglob("*.seg")) / facts["raw_bytes"]}
    if options.merge:  # merges run every 15 seconds
        time.sleep(20)
        run.settle(server.pid)
        out["merge_cpu"] = (run.cpu_seconds(server.pid) - after_flush) / gib
        out["merged"] = sum(f.stat().st_size for f in server.data.rglob("*.seg")) / facts["raw_bytes"]
        out["peak"] = run.peak_mib(server.pid)
    return facts, out


def ask(options, server, facts, out):
    for name, path, query in (("values", "/loki/api/v1/label/pod/values", ""),
                              ("series", "/loki/api/v1/series", '{cluster="eu-1"}')):
        seconds, text = best_of(options.runs, lambda: names_of(server.url, path, facts, query))
        out[name], out[name + "_count"] = seconds * 1000, len(json.loads(text)["data"])
    if not options.queries:
        return
    out["queries"] = []
    for name, (kind, query), goal, *_ in run.queries(facts):
        times, failure = [], None
        try:
            for _ in range(options.runs):
                times.append(run.run_query(server.url, facts, kind, query)[0])
        except (OSError, RuntimeError) as error:
            failure = str(error)[:80]
        out["queries"].append((name, goal, times, failure))
    out["peak_queries"] = run.peak_mib(server.pid)


def cell(query, rg):
    _, goal, times, failure = query
    if failure:
        return f"failed: {failure}"
    multiple = f"{min(times) / rg:.3f} (goal {goal}): " if rg else ""
    return f"{multiple}{min(times) * 1000:.1f} ({times[0] * 1000:.0f})"


def measure(options, mib, streams):
    base = Path(options.folder) if options.folder else None
    folder = Path(tempfile.mkdtemp(prefix="kvasir-scale-", dir=base))
    server = None
    try:
        pods = max(1, streams // SERVICES)
        arguments = [Path(options.bin) / "kvasir-bench-data", "--out", folder, "--bytes", str(mib << 20), "--pods", str(pods),
                     "--seed", "1"]
        server = run.Server(str(Path(options.bin) / "kvasir"), tempfile.mkdtemp(dir=folder),
                            limits="  max_global_streams_per_user: 0\n")
        run.wait_ready(server.url)
        facts, out = ingest(options, server, folder, arguments)
        if options.rg:
            out["rg"] = run.rg_seconds(folder / "raw.log")
        ask(options, server, facts, out)
        return facts, out
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--mib", type=int, nargs="+", default=[256])
    parser.add_argument("--streams", type=int, nargs="+", default=[160])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--queries", action="store_true", help="also the query rows of run.py")
    parser.add_argument("--rg", action="store_true", help="queries also as multiples of ripgrep's time over the raw lines in a file")
    parser.add_argument("--merge", action="store_true", help="also wait for the merges and show what they cost and give")
    parser.add_argument("--folder", help="where the workload and the server's data go for the time of the run")
    options = parser.parse_args()
    print("| MiB | streams | CPU-s a GiB | disk / raw | segments / raw | after merging | peak, MiB | label values, ms | series, ms |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    all_queries = []
    for mib in options.mib:
        for streams in options.streams:
            facts, out = measure(options, mib, streams)
            merged = f'{out["merged"]:.3f} for {out["merge_cpu"]:.1f} CPU-s' if "merged" in out else ""
            print(f'| {mib} | {facts["streams"]} | {out["cpu"]:.1f} | {out["disk"]:.3f} | {out["segments"]:.3f} | {merged} | '
                  f'{out["peak"]:.0f} | {out["values_count"]} in {out["values"]:.0f} | {out["series_count"]} in {out["series"]:.0f} |',
                  flush=True)
            if "queries" in out:
                all_queries.append((mib, facts["streams"], out))
    if not all_queries:
        return
    print("\nBest of the runs (the first one), ms" + ("; before it multiples of ripgrep's time" if options.rg else "") + "\n")
    print("| query | " + " | ".join(f"{m} MiB, {s} streams" for m, s, _ in all_queries) + " |")
    print("| --- |" + " --- |" * len(all_queries))
    for i, (name, *_) in enumerate(all_queries[0][2]["queries"]):
        print(f"| {name.replace('|', chr(92) + '|')} | " + " | ".join(cell(o["queries"][i], o.get("rg")) for *_, o in all_queries) + " |")
    print("| peak memory with the queries, MiB | " + " | ".join(f'{o["peak_queries"]:.0f}' for *_, o in all_queries) + " |")


if __name__ == "__main__":
    main()
