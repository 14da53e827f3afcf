#!/usr/bin/env python3
"""Damage to what the agent keeps: whatever is wrong with it, it is told, and every line is stored.

    tests/fault/agent_damage_test.py [case ...]     (KVASIR_BIN: where the programs are)

Cases: state, both_states, positions, spool, permission.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from running import ANSWER_SECONDS, BIN, World, eventually, fetch, fetch_json, free_port, skip  # noqa: E402

NOBODY = 65534
DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "noise": lambda data: data[:len(data) // 3] + random.Random(7).randbytes(16) + data[len(data) // 3 + 16:],
}


class Job:
    """A log that is written and rotated, and an agent that reads it, in a folder of their own."""

    def __init__(self, world, name, server, glob="app.log", more=""):
        self.world, self.name, self.server, self.written = world, name, server, 0
        self.folder = world.folder / name
        (self.folder / "logs").mkdir(parents=True)
        self.port = free_port()
        self.positions = self.folder / "positions.yaml"
        self.config = self.folder / "agent.yaml"
        self.config.write_text(f"""server: {{http_listen_address: 127.0.0.1, http_listen_port: {self.port}, log_level: warn}}
positions: {{filename: {self.positions}, sync_period: 200ms}}
target_config: {{sync_period: 200ms}}
clients: [{{url: '{server}/loki/api/v1/push', batchwait: 100ms, backoff_config: {{min_period: 100ms, max_period: 500ms, max_retries: 0}}}}]
scrape_configs:
  - job_name: test
    static_configs: [{{labels: {{job: {name}, __path__: "{self.folder}/logs/{glob}"}}}}]
{more}""")
        self.agent = None

    def run(self, *flags):
        self.agent = self.world.run(f"agent-{self.name}", BIN / "kvasir-agent", f"-config.file={self.config}", *flags)
        eventually("the agent answers", 20, lambda: fetch(f"http://127.0.0.1:{self.port}/metrics")[0] == 200)

    def metric(self, name):
        text = fetch(f"http://127.0.0.1:{self.port}/metrics")[1]
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    def write(self, lines):
        with (self.folder / "logs/app.log").open("a") as f:
            f.write("".join(f"{i:08} {'x' * 47}\n" for i in range(self.written, self.written + lines)))
        self.written += lines

    def rotate(self):
        (self.folder / "logs/app.log").rename(self.folder / "logs/app.log.1")

    def stored(self):
        ask = f"{self.server}/loki/api/v1/query_range?limit=5000&query=" + urllib.parse.quote(f'{{job="{self.name}"}}')
        return {int(line[:8]) for stream in fetch_json(ask)["data"]["result"] for _, line in stream["values"]}

    def wait_for_all(self):
        eventually(f"{self.name}: every line is stored", 30, lambda: self.stored() == set(range(self.written)))

    def save_twice(self):
        """What is stored is in the saved state, and in the one before something of it is."""
        for _ in range(2):
            self.write(150)
            self.wait_for_all()
            eventually("it is saved", 20, lambda: f'"{os.path.getsize(self.folder / "logs/app.log")}"' in self.positions.read_text())

    def told(self, words):
        assert words in self.agent.log.read_text(errors="replace"), self.agent.tail()


def damage(path, how):
    path.write_bytes(DAMAGES[how](path.read_bytes()))


def case_state():
    """The state is damaged and the log was rotated meanwhile; the new file is longer than the old position."""
    with World() as world:
        _, server = world.kvasir()
        for how in DAMAGES:
            job = Job(world, f"state_{how}", server)
            job.run()
            job.save_twice()
            job.agent.stop()
            damage(job.folder / "positions.yaml.state", how)
            job.write(50)
            job.rotate()
            job.write(400)
            job.run()
            job.wait_for_all()
            job.told("is damaged and put aside")
            assert job.metric("promtail_state_damaged_total") == 1
            job.agent.stop()


def case_both_states():
    """Nothing says any more which file a position is about."""
    with World() as world:
        _, server = world.kvasir()
        job = Job(world, "both", server, glob="app.log*")
        job.run()
        job.save_twice()
        job.agent.stop()
        damage(job.folder / "positions.yaml.state", "zeros")
        damage(job.folder / "positions.yaml.state.before", "cut")
        job.write(50)
        job.rotate()
        job.write(400)
        job.run()
        job.wait_for_all()
        job.told("files are read from the start")


def case_positions():
    """positions.yaml itself: emptied it is as if there were none; anything else stops the start unless it is to be ignored."""
    with World() as world:
        _, server = world.kvasir()
        for how in ("empty", "zeros", "noise"):
            job = Job(world, f"positions_{how}", server)
            job.run()
            job.save_twice()
            job.agent.stop()
            damage(job.positions, how)
            job.write(50)
            if how != "empty":
                done = subprocess.run([BIN / "kvasir-agent", f"-config.file={job.config}"], capture_output=True, text=True, timeout=ANSWER_SECONDS)
                assert done.returncode == 1 and "invalid yaml positions file" in done.stderr, (done.returncode, done.stderr)
            job.run("-positions.ignore-invalid-yaml=true")
            job.wait_for_all()
            job.agent.stop()


def case_spool():
    """Batches that wait on disk are damaged; their files are still there."""
    with World() as world:
        kvasir, server = world.kvasir()
        for how in DAMAGES:
            job = Job(world, f"spool_{how}", server, more="spool: {mode: always}\n")
            job.run()
            job.save_twice()
            time.sleep(1)  # one more save, with nothing on disk
            kvasir.stop()
            job.write(300)
            eventually("lines are on disk", 20, lambda: job.metric("promtail_spool_bytes") > 0)
            job.agent.stop(signal.SIGKILL)
            batches = sorted(job.folder.glob("positions.yaml.spool/*/*.batch"))
            assert batches, "nothing is in the spool"
            damage(batches[0], how)
            kvasir.start()
            eventually("the server is back", 20, lambda: fetch(server + "/ready")[0] == 200)
            job.run()
            job.wait_for_all()
            job.told("a batch on disk is damaged")
            assert job.metric("promtail_spool_damaged_total") == 1
            job.agent.stop()


def case_permission():
    """What may not be read stops the start, which names it."""
    if os.geteuid() != 0:
        skip("needs root to become another user")
    with World() as world:
        _, server = world.kvasir()
        job = Job(world, "permission", server)
        job.run()
        job.save_twice()
        job.agent.stop()
        for path in (world.folder, job.folder):
            path.chmod(0o755)
        job.config.chmod(0o644)
        job.positions.chmod(0o644)
        (job.folder / "positions.yaml.state").chmod(0o600)
        try:
            done = subprocess.run([BIN / "kvasir-agent", f"-config.file={job.config}"], capture_output=True, text=True, timeout=ANSWER_SECONDS,
                                  user=NOBODY, group=NOBODY, extra_groups=[])
        except PermissionError:
            skip("another user may not run the programs")
        assert done.returncode == 1 and "positions.yaml.state" in done.stderr, (done.returncode, done.stderr)
        job.run()
        job.write(10)
        job.wait_for_all()


def main():
    for program in ("kvasir", "kvasir-agent"):
        if shutil.which(program, path=BIN) is None:
            skip(f"no {program} in {BIN}")
    cases = {name[5:]: case for name, case in globals().items() if name.startswith("case_")}
    for name in sys.argv[1:] or cases:
        begin = time.monotonic()
        cases[name]()
        print(f"{name}: ok, {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
