#!/usr/bin/env python3
"""How small JSON service logs become: lines of a Python JSON formatter and of a Go one-liner, with trace and span ids.

    json_services.py --bin build/release/bin --mib 32

Eight services, a trace id shared by about six lines over all of them, a span id of its own in each line.
"""
import argparse
import datetime
import json
import random
import shutil
import tempfile
from pathlib import Path

import run

SERVICES = ["frontend", "payment-service", "order-service", "inventory", "auth", "shipping", "user-service", "notifications"]
MESSAGES = ["Processing request", "Request completed in {} ms", "Failed to process payment: timeout after {} ms",
            "Order {} created", "Cache miss for user {}", "Database query took {} ms", "Retrying connection, attempt {}",
            "User {} logged in"]
LEVELS = ["INFO"] * 16 + ["WARNING"] * 3 + ["ERROR"]
START_NS = 1767225600_000000000
BODY_BYTES = 1 << 20


def line_of(rng, service, at_ns, trace):
    message = rng.choice(MESSAGES).format(rng.randint(1, 5000))
    level, span = rng.choice(LEVELS), f"{rng.getrandbits(64):016x}"
    if service in ("frontend", "auth"):
        return f'{{"level":"{level.lower()}","message":"{message}","trace_id":"{trace}","span_id":"{span}"}}'
    at = datetime.datetime.fromtimestamp(at_ns // 10**9, datetime.timezone.utc)
    asctime = f"{at:%Y-%m-%d %H:%M:%S},{at_ns // 10**6 % 1000:03d}"
    return json.dumps({"timestamp": asctime, "level": level, "message": message, "service": service, "trace_id": trace,
                       "span_id": span})


def bodies(raw_bytes):
    """(push body, raw bytes of its lines, each with a newline)."""
    rng = random.Random(3)
    at, traces, done = START_NS, [], 0
    while done < raw_bytes:
        streams, size = {}, 0
        while size < BODY_BYTES:
            at += rng.randint(50_000, 1_500_000)
            if not traces or rng.random() < 1 / 6:
                traces = [*traces, f"{rng.getrandbits(128):032x}"][-12:]
            service = rng.choice(SERVICES)
            line = line_of(rng, service, at, rng.choice(traces))
            streams.setdefault(service, []).append([str(at), line])
            size += len(line) + 1
        done += size
        push = {"streams": [{"stream": {"service": s, "namespace": "production"}, "values": v} for s, v in streams.items()]}
        yield json.dumps(push), size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--mib", type=int, default=32)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kvasir-json-"))
    server = run.Server(str(Path(options.bin) / "kvasir"), folder)
    try:
        run.wait_ready(server.url)
        raw = 0
        for body, size in bodies(options.mib << 20):
            run.request(server.url, "POST", "/loki/api/v1/push", body, {"Content-Type": "application/json"})
            raw += size
        run.request(server.url, "POST", "/flush", b"")
        stored = sum(f.stat().st_size for f in server.data.rglob("*.seg"))
        print(f"{raw} raw bytes, {stored} in segments: {raw / stored:.2f} to 1")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
