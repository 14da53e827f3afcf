"""Programs under test on free ports with folders of their own; everything is gone when the test ends."""
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("KVASIR_BIN", ROOT / "build/release/bin"))
TOOLS = Path(os.environ.get("KVASIR_TOOLS", ROOT / "build/tools/usr/bin"))
PATIENCE = 5            # limits are written for a machine that is idle: a slow and busy one has so many times as long
ANSWER_SECONDS = 120    # for one HTTP request
CLAIMS = []             # of ports, for as long as this process lives


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


def ports():
    """Those below the ones which the system gives to outgoing connections: of such a connection a server would find its port taken."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return range(max(2000, lowest - 20_000), lowest) if lowest > 4000 else range(20_000, 60_000)


def free_port():
    """A port on which nobody listens, and that no test beside this one is given while this process lives, also when it is closed for a while."""
    for port in random.sample(ports(), 1000):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0kvasir-test-port-{port}")
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(type=kind) as probe:
                    probe.bind(("0.0.0.0", port))
        except OSError:
            claim.close()
            continue
        CLAIMS.append(claim)
        return port
    raise AssertionError("no free port")


def fetch(url, body=None, headers=None, method=None):
    """(status, text) of one request; an HTTP error is an answer too."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def fetch_json(url, **params):
    status, text = fetch(url + ("?" + urllib.parse.urlencode(params, doseq=True) if params else ""))
    assert status == 200, (url, params, status, text[:500])
    return json.loads(text)


def eventually(what, seconds, check):
    """The first true value of check(); fails with the name of the thing when it does not come in PATIENCE times that many seconds."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = check()
            if last:
                return last
        except (OSError, AssertionError, KeyError, IndexError, ValueError) as error:
            last = repr(error)
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s; last: {str(last)[:600]}")


class Program:
    def __init__(self, name, folder, command):
        self.name, self.command = name, [str(c) for c in command]
        self.log = Path(folder) / f"{name}.log"
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=open(self.log, "a"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(ANSWER_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


class World(contextlib.AbstractContextManager):
    """A temporary folder and the programs started in it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="kvasir-e2e-"))
        self.programs = []

    def run(self, name, *command):
        program = Program(name, self.folder, command)
        self.programs.append(program)
        return program

    def kvasir(self, config="", port=None, multi_tenant=False, server=""):
        """(program, url) of a server under a free port; `config` is added to its configuration, `server` (", key: value") to that section."""
        port = port or free_port()
        path = self.folder / "kvasir.yaml"
        path.write_text(f"auth_enabled: {str(multi_tenant).lower()}\nserver: {{http_listen_address: 127.0.0.1{server}}}\n" + config)
        program = self.run("kvasir", BIN / "kvasir", f"-config.file={path}", f"-server.http-listen-port={port}",
                           f"-common.path-prefix={self.folder / 'data'}")
        url = f"http://127.0.0.1:{port}"
        eventually("kvasir is ready", 20, lambda: fetch(url + "/ready")[0] == 200)
        return program, url

    def __exit__(self, kind, error, trace):
        if error is not None and not isinstance(error, SystemExit):
            for program in self.programs:
                print(f"--- {program.name}\n{program.tail()}")
        for program in reversed(self.programs):
            program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        return False


def run_part(parts):
    """Runs the one of these functions that the command line names."""
    part = {p.__name__: p for p in parts}.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if part is None:
        skip("name a part: " + " ".join(p.__name__ for p in parts))
    part()
    print("1 passed, 0 failed")
