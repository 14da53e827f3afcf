#!/usr/bin/env python3
"""Stands in for a handful of services that log JSON with W3C trace ids, so that there is something to look at.

    demo.py --dir DIR [--rate LINES_PER_SECOND] [--error-share 0.05] [--seconds N] [--seed N]

Writes DIR/<service>.log for ryot, sigmalang, sigmavault and agents. ryot and sigmavault are Python, sigmalang and agents Go. Most lines are
rich JSON (spaced with upper-case levels, or compact); every eighth is what the services' own first logging set-up makes:
  Python  a logging.Formatter over a JSON text: no service, local time with a comma, and broken JSON as soon as a message holds a quote;
  Go      log.Printf of JSON: the logger's own date stands in front of the brace.
Some lines have all-zero ids: they were logged outside a span. SIGUSR1 turns a fault on (ten times the errors), SIGUSR2 turns it off.
"""
import argparse
import json
import logging
import os
import random
import signal
import sys
import time
from datetime import datetime, timezone

SERVICES = {"ryot": "python", "sigmavault": "python", "sigmalang": "go", "agents": "go"}
CALLS = {"ryot": "sigmalang", "sigmalang": "sigmavault", "agents": "ryot", "sigmavault": "ryot"}
MESSAGES = ["Processing request", "request completed", "cache miss", "model loaded", 'vault "main" opened', "retrying upstream call"]
ERRORS = ["upstream timed out", 'cannot parse "payload"', "connection refused", "out of memory"]


PYTHON_FORMATTER = logging.Formatter(json.dumps({"timestamp": "%(asctime)s", "level": "%(levelname)s", "message": "%(message)s",
                                                 "trace_id": "%(trace_id)s", "span_id": "%(span_id)s"}))


def python_line(message, failed, trace, span):
    record = logging.LogRecord("app", logging.ERROR if failed else logging.INFO, "", 0, message, None, None)
    record.trace_id, record.span_id = trace, span
    return PYTHON_FORMATTER.format(record)


def go_line(message, failed, trace, span):
    text = f'{{"level":"{"error" if failed else "info"}","message":"{message}","trace_id":"{trace}","span_id":"{span}"}}'
    return time.strftime("%Y/%m/%d %H:%M:%S ") + text


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
        span = self.hex_id(16) if trace.strip("0") else "0" * 16
        python = SERVICES[service] == "python"
        if self.random.random() < 0.125:
            line = (python_line if python else go_line)(message, failed, trace, span)
        else:
            line = self.rich_line(service, message, failed, (trace, span))
        self.files[service].write(line + "\n")

    def rich_line(self, service, message, failed, ids):
        level = "error" if failed else "info"
        python = SERVICES[service] == "python"
        fields = {
            "timestamp": datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": level.upper() if python else level,
            "service": service,
            "component": "http_client" if self.random.random() < 0.3 else "server",
            "version": "v2" if self.random.random() < 0.5 else "v1",
            "message": message,
            "status": 500 if failed else 200,
            "duration": round(self.random.expovariate(1 / 80), 2),
            "called_service": CALLS[service],
            "trace_id": ids[0],
            "span_id": ids[1],
        }
        return json.dumps(fields) if python else json.dumps(fields, separators=(",", ":"))


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
