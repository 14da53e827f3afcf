#!/usr/bin/env python3
"""Stands in for a handful of services that log JSON with W3C trace ids, so that there is something to look at.

    demo.py --dir DIR [--rate LINES_PER_SECOND] [--error-share 0.05] [--seconds N] [--seed N]

Writes DIR/<service>.log for ryot, sigmalang, sigmavault and agents: Python services write spaced JSON with upper-case levels, Go
services compact JSON; now and then a line is broken (an unescaped quote) or has all-zero ids (logged outside a span), as real
ones are. SIGUSR1 turns a fault on (ten times the errors), SIGUSR2 turns it off.
"""
import argparse
import json
import os
import random
import signal
import sys
import time
from datetime import datetime, timezone

SERVICES = {"ryot": "python", "sigmavault": "python", "sigmalang": "go", "agents": "go"}
CALLS = {"ryot": "sigmalang", "sigmalang": "sigmavault", "agents": "ryot", "sigmavault": "ryot"}
MESSAGES = ["Processing request", "request completed", "cache miss", "model loaded", "vault opened", "retrying upstream call"]
ERRORS = ["upstream timed out", 'cannot parse "payload"', "connection refused", "out of memory"]


class Demo:
    def __init__(self, options):
        os.makedirs(options.dir, exist_ok=True)
        self.random = random.Random(options.seed)
        self.error_share = options.error_share
        self.fault = False
        self.files = {name: open(os.path.join(options.dir, f"{name}.log"), "a", buffering=1) for name in SERVICES}
        signal.signal(signal.SIGUSR1, lambda *_: self.set_fault(True))
        signal.signal(signal.SIGUSR2, lambda *_: self.set_fault(False))

    def set_fault(self, on):
        self.fault = on

    def hex_id(self, digits):
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"

    def request(self):
        """One request that passes through two services under one trace id."""
        trace = self.hex_id(32) if self.random.random() > 0.02 else "0" * 32
        first = self.random.choice(list(SERVICES))
        for service in (first, CALLS[first]):
            failed = self.random.random() < self.error_share * (10 if self.fault else 1)
            self.write(service, trace, failed)

    def write(self, service, trace, failed):
        message = self.random.choice(ERRORS if failed else MESSAGES)
        fields = {
            "timestamp": datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": "error" if failed else "info",
            "service": service,
            "component": "http_client" if self.random.random() < 0.3 else "server",
            "version": "v2" if self.random.random() < 0.5 else "v1",
            "message": message,
            "status": 500 if failed else 200,
            "duration": round(self.random.expovariate(1 / 80), 2),
            "called_service": CALLS[service],
            "trace_id": trace,
            "span_id": self.hex_id(16) if trace.strip("0") else "0" * 16,
        }
        if SERVICES[service] == "python":
            fields["level"] = fields["level"].upper()
            line = json.dumps(fields)
            if failed and self.random.random() < 0.1:
                line = line.replace('\\"', '"')  # a formatter that escapes nothing
        else:
            line = json.dumps(fields, separators=(",", ":"))
        self.files[service].write(line + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--error-share", type=float, default=0.05)
    parser.add_argument("--seconds", type=float, default=0, help="0 = until stopped")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    demo = Demo(options)
    end = time.monotonic() + options.seconds if options.seconds else None
    while end is None or time.monotonic() < end:
        demo.request()
        time.sleep(2 / options.rate)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
