#!/usr/bin/env python3
"""Runs the recorded answers of the reference server against ours and holds them against the ratchet.

Two servers are started on free ports over temporary folders (one without tenants, one with), the runner that comes with the recorded
cases is pointed at them, and the counts per group are compared with ratchet.json: no group may pass fewer cases than it ever did.

  run_conformance.py --kvasir BUILD/bin/kvasir [--corpus DIR] [--update] [-- arguments for the runner]

Without the corpus (it lies beside the checkout, not in it) the test says so and is skipped: exit 77.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SKIPPED = 77
READY_SECONDS = 300

sys.path.insert(0, str(HERE.parent / "e2e"))
from running import free_port  # noqa: E402


def find_corpus(given):
    for candidate in (given, os.environ.get("KVASIR_CORPUS"), ROOT.parent / "shared" / "conformance" / "logql"):
        if candidate and (Path(candidate) / "cases.jsonl").is_file():
            return Path(candidate)
    return None


class Server:
    without_pushdowns = False

    def __init__(self, binary, corpus, config, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        data = Path(folder) / config
        data.mkdir(exist_ok=True)
        env = dict(os.environ, HTTP_PORT=str(self.port), GRPC_PORT=str(free_port()), DATA_DIR=str(data),
                   OVERRIDES=str(corpus / "overrides.yaml"))
        self.log_path = Path(folder) / (config + ".log")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([binary, f"-config.file={self.config_file(corpus / config, folder)}", "-config.expand-env=true"],
                                            env=env, stdout=log, stderr=subprocess.STDOUT)

    def config_file(self, recorded, folder):
        """As it was recorded, or with every pushdown of the engine off: the answers must not tell."""
        if not Server.without_pushdowns:
            return recorded
        plain = Path(folder) / ("plain-" + recorded.name)
        plain.write_text(re.sub(r"(?m)^limits_config:$", "limits_config:\n  disabled_pushdowns: [all]", recorded.read_text()))
        return plain

    def wait_ready(self):
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url + "/ready", timeout=2) as answer:
                    if answer.status == 200:
                        return True
            except OSError:
                pass
            time.sleep(0.1)
        print(f"the server did not become ready; the end of its log:\n{self.log_tail()}")
        return False

    def log_tail(self):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-20:])

    def stop(self):
        """True when the process ended by itself with 0 after SIGTERM."""
        if self.process.poll() is not None:
            print(f"the server ended early with {self.process.returncode}:\n{self.log_tail()}")
            return False
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = f"a kill after {READY_SECONDS} s"
        if status != 0:
            print(f"the server ended with {status}:\n{self.log_tail()}")
        return status == 0


def counts_of(text):
    """{group: [passed, failed]} from the runner's table."""
    rows = re.findall(r"^(\S+)\s+(\d+) passed\s+(\d+) failed", text, re.M)
    return {name: [int(passed), int(failed)] for name, passed, failed in rows}


def compare(counts, ratchet):
    worse = [(group, least, counts.get(group, [0, 0])[0]) for group, least in ratchet.items()
             if counts.get(group, [0, 0])[0] < least]
    for group, least, now in worse:
        print(f"group {group} fell: {now} passed, {least} before")
    return not worse


def start_all(args, corpus, folder):
    servers = [Server(args.kvasir, corpus, config, folder) for config in ("loki-single.yaml", "loki-multi.yaml")]
    return servers, all([server.wait_ready() for server in servers])


def ask(servers, corpus, extra):
    done = subprocess.run([sys.executable, str(corpus / "run.py"), "--url", servers[0].url, "--auth-url", servers[1].url, *extra],
                          capture_output=True, text=True)
    if done.stderr:
        print(done.stderr)
    return done.stdout


def failing(text):
    return set(re.findall(r"^FAIL (\S+)", text, re.M))


def flush(servers):
    for server in servers:
        urllib.request.urlopen(urllib.request.Request(server.url + "/flush", method="POST"), timeout=READY_SECONDS).close()


def run(args, corpus, extra):
    """Two rounds: from memory, and from storage after a flush and a restart. The runner's output of the first, or None."""
    with tempfile.TemporaryDirectory(prefix="kvasir-conformance-") as folder:
        outputs = []
        for arguments in (extra, [*extra, "--no-load", "--stored"]):
            servers, ready = start_all(args, corpus, folder)
            try:
                if ready:
                    outputs.append(ask(servers, corpus, arguments))
                    flush(servers)
            finally:
                ended = [server.stop() for server in servers]
            if not ready or not all(ended):
                return None
    first, stored = outputs
    print(first[-args.show:] if args.show else first)
    print("from storage: " + (stored.strip().splitlines() or ["nothing"])[-1])
    if args.save:
        Path(args.save).write_text(first)
    only_stored = sorted(failing(stored) - failing(first))
    if only_stored:
        print("answered from memory but not from storage: " + " ".join(only_stored))
        return None
    return first


def write_counts(counts):
    """The table of docs/conformance.md."""
    path = ROOT / "docs" / "conformance.md"
    head = path.read_text().split("<!-- counts")[0]
    rows = "".join(f"| {group} | {passed} | {failed} |\n" for group, (passed, failed) in sorted(counts.items()))
    total = [sum(row[i] for row in counts.values()) for i in (0, 1)]
    path.write_text(f"{head}<!-- counts: written by run_conformance.py --update -->\n| group | passed | failed |\n| --- | --- | --- |\n{rows}"
                    f"| **all** | **{total[0]}** | **{total[1]}** |\n")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--kvasir", default=os.path.join(os.environ.get("KVASIR_BIN", str(ROOT / "build/release/bin")), "kvasir"))
    ap.add_argument("--corpus")
    ap.add_argument("--update", action="store_true", help="raise the ratchet to what passes now")
    ap.add_argument("--show", type=int, default=0, help="print only so many of the last characters")
    ap.add_argument("--save", help="write the runner's whole output here")
    ap.add_argument("--without-pushdowns", action="store_true", help="switch off every pushdown; the same must pass")
    args, extra = ap.parse_known_args()
    Server.without_pushdowns = args.without_pushdowns
    extra = [x for x in extra if x != "--"]
    corpus = find_corpus(args.corpus)
    if corpus is None:
        print("SKIPPED: the recorded cases are not there (expected ../shared/conformance/logql beside the checkout, or KVASIR_CORPUS)")
        return SKIPPED
    output = run(args, corpus, extra)
    if output is None:
        return 1
    counts = counts_of(output)
    path = HERE / "ratchet.json"
    ratchet = json.loads(path.read_text()) if path.exists() else {}
    if args.update:
        raised = {group: max(passed, ratchet.get(group, 0)) for group, (passed, _) in sorted(counts.items())}
        path.write_text(json.dumps({**ratchet, **raised}, indent=2, sort_keys=True) + "\n")
        write_counts(counts)
        return 0
    return 0 if extra or compare(counts, ratchet) else 1


sys.exit(main())
