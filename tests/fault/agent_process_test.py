#!/usr/bin/env python3
"""The agent as a process at its limits, and what it proves about itself.

    tests/fault/agent_process_test.py [case ...]     (KVASIR_BIN: where the programs are)

Cases: verify, verify_losses, spool_handover, many_files, long_lines, dead_server, bombs, full_queue,
       full_small_queue, stopping, slow_client, rotated_while_down.
"""
import bz2
import gzip
import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from running import ANSWER_SECONDS, BIN, World, eventually, fetch, fetch_json, free_port, skip  # noqa: E402

MEMORY_MAX_MIB = 64
LATE_SECONDS = 40     # an answer that waits for a server which is not there would come later, if ever


def agent_config(world, clients, glob, more=""):
    path = world.folder / "agent.yaml"
    path.write_text(f"""server: {{http_listen_address: 127.0.0.1, http_listen_port: {free_port()}, log_level: warn}}
positions: {{filename: {world.folder}/positions.yaml, sync_period: 500ms}}
target_config: {{sync_period: 500ms}}
clients:
{clients}
scrape_configs:
  - job_name: test
    static_configs: [{{labels: {{job: test, __path__: "{glob}"}}}}]
{more}""")
    return path


def port_of(config):
    return int(config.read_text().split("http_listen_port: ")[1].split(",")[0])


def run_agent(world, config):
    program = world.run("agent", BIN / "kvasir-agent", f"-config.file={config}")
    url = f"http://127.0.0.1:{port_of(config)}"
    eventually("the agent answers", 20, lambda: fetch(url + "/metrics")[0] == 200)
    return program, url


def metric(url, name, match=""):
    text = fetch(url + "/metrics")[1]
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name) and match in line)


def memory_mib(program, field="VmHWM"):
    for line in Path(f"/proc/{program.process.pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0


class Sink:
    """A server that answers 204 after `delay` seconds, or holds every push until it is told to go on."""

    def __init__(self, delay=0.0):
        self.pushes, self.bytes, self.delay, self.go_on = 0, 0, delay, threading.Event()
        self.go_on.set()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                left = int(self.headers["Content-Length"])
                while left > 0:
                    left -= len(self.rfile.read(min(left, 1 << 20)))
                sink.go_on.wait()
                time.sleep(sink.delay)
                sink.pushes += 1
                sink.bytes += int(self.headers["Content-Length"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/loki/api/v1/push"


def logs(world):
    folder = world.folder / "logs"
    folder.mkdir()
    return folder


def verify(config, path, *more):
    done = subprocess.run([BIN / "kvasir-agent", "verify", *more, f"-config.file={config}", path], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def case_verify():
    """What the server's ledger and a look at every line say of files: whole, with gaps, rotated, packed, changed, sent twice."""
    with World() as world:
        _, server = world.kvasir()
        folder = logs(world)
        stages = """    pipeline_stages:
      - regex: {expression: '(?P<level>INFO|WARN)'}
      - labels: {level: }
      - replace: {expression: '(secret)', replace: 'hidden'}
      - drop: {expression: 'noise'}
"""
        config = agent_config(world, f"  - {{url: {server}/loki/api/v1/push, batchwait: 50ms}}", f"{folder}/*.log", stages)
        log = folder / "app.log"
        lines = [f"{i} {'INFO' if i % 3 else 'WARN'} {'secret' if i % 5 == 0 else 'plain'} {'noise' if i % 50 == 7 else ''}" for i in range(12_000)]
        log.write_text("".join(line + "\n" for line in lines))
        size = log.stat().st_size
        code, out = verify(config, log, "-lines")
        assert code == 1 and "0 of 11760 lines are stored" in out and f"0 of {size} bytes" in out, (code, out)
        assert "does not know this file" in out, out
        agent, url = run_agent(world, config)
        eventually("all lines are sent", 30, lambda: metric(url, "promtail_sent_entries_total") == 11760)
        eventually("the ledger has the file", 20, lambda: verify(config, log)[0] == 0)
        code, out = verify(config, log, "-lines")
        assert code == 0 and f"whole: {size} of {size} bytes are settled, 11760 entries are stored" in out, (code, out)
        assert "left out by stage drop, 240 entries" in out and "11760 of 11760 lines are stored" in out, out
        with log.open("a") as f:
            f.write("noise alone\n")
        eventually("the ledger is told of lines that no entry goes with", 20,
                   lambda: f"whole: {size + 12} of {size + 12}" in verify(config, log)[1])
        agent.stop()
        with log.open("a") as f:
            f.write("nobody read this INFO\nnor this\nhalf a line")
        code, out = verify(config, log, "-lines")
        assert code == 1 and "missing: nor this" in out and "11760 of 11762" in out, (code, out)
        assert f"never acknowledged: 31 bytes: {size + 12}-{size + 43}" in out and "the last 11 bytes" in out, out
        with log.open("r+") as f:
            f.truncate(size)
        code, out = verify(config, log)
        assert code == 1 and "changed since: it is shorter than what was sent" in out, (code, out)
        with log.open("a") as f:
            f.write("noise alone\n")
        moved = folder / "app.log.1"
        log.rename(moved)
        assert verify(config, moved)[0] == 0, verify(config, moved)
        packed = folder / "app.log.1.gz"
        packed.write_bytes(gzip.compress(moved.read_bytes()))
        code, out = verify(config, packed, "-lines")
        assert code == 0 and f"{size + 12} of {size + 12} bytes" in out and "11760 of 11760" in out, (code, out)
        moved.rename(log)
        with log.open("r+") as f:
            f.write("other")
        code, out = verify(config, log)
        assert code == 1 and "its first bytes are not those that were sent" in out, (code, out)
        (world.folder / "positions.yaml").unlink()
        for state in world.folder.glob("positions.yaml.state*"):
            state.unlink()
        with log.open("r+") as f:
            f.write(lines[0][:5])
        agent, url = run_agent(world, config)  # forgets what it sent
        eventually("everything is sent again", 30, lambda: metric(url, "promtail_sent_entries_total") == 11760)
        eventually("the ledger knows", 20, lambda: f"sent more than once: {size + 12} bytes" in verify(config, log)[1])
        assert verify(config, log)[0] == 0
        code, out = verify(config, folder / "none.log")
        assert code == 2, (code, out)


def case_verify_losses():
    """What a server refuses and what limits drop is told by the ledger with its reason; lines of a file may go to several tenants."""
    with World() as world:
        _, server = world.kvasir(config="limits_config: {max_line_size: 1000}\n", multi_tenant=True)
        folder = logs(world)
        stages = """    pipeline_stages:
      - regex: {expression: '^(?P<who>red|blue) '}
      - tenant: {source: who}
"""
        clients = f"  - {{url: {server}/loki/api/v1/push, batchwait: 50ms, tenant_id: rest}}"
        config = agent_config(world, clients, f"{folder}/*.log", stages)
        log = folder / "app.log"
        log.write_text("".join(f"{('red', 'blue', 'none')[i % 3]} {i}\n" for i in range(900)))
        agent, url = run_agent(world, config)
        eventually("the ledgers of three tenants have the file", 30, lambda: verify(config, log)[0] == 0)
        code, out = verify(config, log)
        assert "900 entries are stored" in out, out
        size = log.stat().st_size
        with log.open("a") as f:
            f.write(f"none {'x' * 2000}\n")
        eventually("the line is refused", 20, lambda: metric(url, "promtail_dropped_entries_total", "ingester_error") == 1)
        eventually("the ledger says so", 20, lambda: f"lost (ingester_error), 1 entries: 2006 bytes: {size}-{size + 2006}" in verify(config, log)[1])
        code, out = verify(config, log)
        assert code == 1 and "NOT WHOLE" in out and "never acknowledged" not in out, (code, out)


def case_spool_handover():
    """What is spooled for a client is sent once although its settings change, by a reload and by a restart, while nobody listens."""
    for settings in ("", "name: fixed, "):
        with World() as world:
            folder, port = logs(world), free_port()
            client = f"  - {{{settings}url: 'http://127.0.0.1:{port}/loki/api/v1/push', batchwait: 50ms, backoff_config: {{max_period: 500ms, max_retries: 0}}}}"
            config = agent_config(world, client, f"{folder}/*.log")
            config.write_text("spool: {mode: always, fsync: false}\n" + config.read_text())
            agent, url = run_agent(world, config)
            for step in range(4):
                with (folder / "app.log").open("a") as f:
                    f.write("".join(f"step {step} line {i}\n" for i in range(1000)))
                size = (folder / "app.log").stat().st_size
                eventually("the lines are read", 20, lambda: metric(url, "promtail_read_bytes_total") == size)
                config.write_text(config.read_text().replace(f"batchwait: {50 + step}ms", f"batchwait: {51 + step}ms"))
                if step == 1:
                    agent.stop()
                    agent, url = run_agent(world, config)
                else:
                    agent.process.send_signal(signal.SIGHUP)
                    eventually("the agent has reloaded", 20, lambda: f"batchwait: {51 + step}ms" in fetch(url + "/config")[1])
            _, server = world.kvasir(port=port)
            ask = server + "/loki/api/v1/query?query=" + urllib.parse.quote('sum(count_over_time({job="test"}[1h]))')
            eventually("every line is there", 30, lambda: '"4000"' in fetch(ask)[1])
            with (folder / "app.log").open("a") as f:
                f.write("one more\n")
            eventually("the agent goes on", 20, lambda: '"4001"' in fetch(ask)[1])
            eventually("the ledger has the file once", 20, lambda: verify(config, folder / "app.log")[0] == 0)
            assert "more than once" not in verify(config, folder / "app.log")[1]


def case_many_files():
    """5,000 files, all of them read to their end."""
    with World() as world:
        folder, sink = logs(world), Sink()
        for i in range(5000):
            (folder / f"{i:04}.log").write_text("".join(f"file {i} line {k} {'x' * 60}\n" for k in range(20)))
        agent, url = run_agent(world, agent_config(world, f"  - {{url: {sink.url}}}", f"{folder}/*.log"))
        eventually("everything is sent", 90, lambda: metric(url, "promtail_sent_entries_total") == 100_000)
        for i in range(0, 5000, 10):
            with (folder / f"{i:04}.log").open("a") as f:
                f.write("one more\n")
        eventually("what came later is sent", 60, lambda: metric(url, "promtail_sent_entries_total") == 100_500)
        peak = memory_mib(agent)
        print(f"5,000 files: peak {peak:.0f} MiB")
        assert peak <= MEMORY_MAX_MIB, peak


def case_long_lines():
    """Lines of 100 MB between ordinary ones: these come whole, those in pieces."""
    with World() as world:
        folder, sink = logs(world), Sink()
        with (folder / "long.log").open("w") as f:
            for i in range(3):
                f.write(f"short {i}\n")
                for _ in range(100):
                    f.write(os.urandom(500_000).hex())
                f.write("\n")
            f.write("last\n")
        agent, url = run_agent(world, agent_config(world, f"  - {{url: {sink.url}}}", f"{folder}/*.log"))
        size = (folder / "long.log").stat().st_size
        eventually("the file is read to its end", 90, lambda: metric(url, "promtail_read_bytes_total") == size)
        peak = memory_mib(agent)
        print(f"lines of 100 MB: peak {peak:.0f} MiB, {metric(url, 'promtail_overlong_lines_total'):.0f} too long for one read")
        assert peak <= MEMORY_MAX_MIB, peak
        assert metric(url, "promtail_overlong_lines_total") > 0


def case_dead_server():
    """Nobody listens: reading stops where memory ends, and goes on where it stopped; nothing is lost or sent twice."""
    with World() as world:
        folder, port = logs(world), free_port()
        text = "".join(f"{i:07} {'y' * 120}\n" for i in range(1_000_000))
        (folder / "app.log").write_text(text)
        client = f"  - {{url: 'http://127.0.0.1:{port}/loki/api/v1/push', backoff_config: {{min_period: 100ms, max_period: 500ms, max_retries: 0}}}}"
        agent, url = run_agent(world, agent_config(world, client, f"{folder}/*.log"))
        eventually("the agent has tried", 30, lambda: metric(url, "promtail_batch_retries_total") >= 3)

        def rests():
            read = metric(url, "promtail_read_bytes_total")
            time.sleep(3)
            return read if metric(url, "promtail_read_bytes_total") == read else 0
        read = eventually("reading stops", 20, rests)
        assert read < len(text), "the whole file was read"
        peak = memory_mib(agent)
        print(f"dead server: peak {peak:.0f} MiB, {read / (1 << 20):.0f} of {len(text) >> 20} MiB read")
        assert peak <= MEMORY_MAX_MIB, peak
        assert metric(url, "promtail_dropped_entries_total") == 0
        world.kvasir(port=port, config="limits_config: {ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, "
                                       "per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB}\n")
        eventually("everything is sent", 60, lambda: metric(url, "promtail_sent_entries_total") == 1_000_000)
        assert memory_mib(agent) <= MEMORY_MAX_MIB, memory_mib(agent)


def case_bombs():
    """Compressed files that unpack to far more than the memory limit."""
    with World() as world:
        folder, sink = logs(world), Sink()
        plain = (b"x" * 999 + b"\n") * 16_000
        for pack, name in ((gzip.compress, "a.gz"), (bz2.compress, "b.bz2")):
            (folder / name).write_bytes(pack(plain) * 16)
        client = f"  - {{url: '{sink.url}'}}"
        agent, url = run_agent(world, agent_config(world, client, f"{folder}/*", "    decompression: {enabled: true}\n"))
        eventually("all lines are sent", 120, lambda: metric(url, "promtail_sent_entries_total") == 2 * 16 * 16_000)
        peak = memory_mib(agent)
        print(f"bombs: {sum(f.stat().st_size for f in folder.iterdir()) >> 10} KiB of 488 MiB: peak {peak:.0f} MiB")
        assert peak <= MEMORY_MAX_MIB, peak


def case_full_queue():
    """Pushes to an agent whose server is gone are refused when the queue is full, and none of their lines is lost or doubled."""
    with World() as world:
        port, listener = free_port(), free_port()
        config = agent_config(world, f"  - {{url: 'http://127.0.0.1:{port}/loki/api/v1/push', backoff_config: {{min_period: 100ms, "
                              "max_period: 500ms, max_retries: 0}}", f"{world.folder}/none.log",
                              f"  - job_name: pushes\n    loki_push_api: {{server: {{http_listen_address: 127.0.0.1, http_listen_port: "
                              f"{listener}}}, labels: {{via: push}}}}\n")
        _, url = run_agent(world, config)

        def push(number):
            values = [[str(time.time_ns()), f"{number}-{i} {random.randbytes(4000).hex()}"] for i in range(60)]
            body = json.dumps({"streams": [{"stream": {"job": "p"}, "values": values}]}).encode()
            begin = time.monotonic()
            status = fetch(f"http://127.0.0.1:{listener}/loki/api/v1/push", body, {"Content-Type": "application/json"})[0]
            assert time.monotonic() - begin < LATE_SECONDS, "the answer came late"
            return status

        eventually("the listener", 20, lambda: push(0) == 204)
        answers = [push(number) for number in range(1, 40)]
        assert 429 in answers and set(answers) <= {204, 429}, answers
        _, server = world.kvasir(port=port, config="limits_config: {ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, "
                                                   "per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB}\n")
        taken = 1 + answers.count(204)
        for number, answer in enumerate(answers, 1):
            if answer == 429:
                eventually("it is taken", 30, lambda: push(number) == 204)
                taken += 1
        eventually("everything is sent", 60, lambda: metric(url, "promtail_sent_entries_total") == 40 * 60)
        query = 'sum(count_over_time({via="push"}[1h]))'
        result = fetch_json(server + "/loki/api/v1/query", query=query)["data"]["result"]
        assert float(result[0]["value"][1]) == 40 * 60, result
        print(f"full queue: {answers.count(429)} of {taken} pushes refused and repeated")


def case_full_small_queue():
    """With a queue much smaller than a batch every push is answered soon, also the one that would fill it."""
    with World() as world:
        listener = free_port()
        config = agent_config(world, f"  - {{url: 'http://127.0.0.1:{free_port()}/loki/api/v1/push'}}", f"{world.folder}/none.log",
                              f"  - job_name: pushes\n    loki_push_api: {{server: {{http_listen_address: 127.0.0.1, http_listen_port: "
                              f"{listener}}}, labels: {{via: push}}}}\nspool: {{mode: 'off', memory_bytes: 256KB}}\n")
        run_agent(world, config)

        def push(lines):
            values = [[str(time.time_ns()), random.randbytes(300).hex()] for _ in range(lines)]
            body = json.dumps({"streams": [{"stream": {"job": "p"}, "values": values}]}).encode()
            begin = time.monotonic()
            status = fetch(f"http://127.0.0.1:{listener}/loki/api/v1/push", body, {"Content-Type": "application/json"})[0]
            assert time.monotonic() - begin < LATE_SECONDS, "the answer came late"
            return status

        answers = [push(2000)] + [push(200) for _ in range(6)]  # the first is larger than the queue, which is empty
        assert answers == [204] + [429] * 6, answers
        print("full small queue: every push was answered")


def case_stopping():
    """SIGTERM: what is in the file by then is sent; with a server that does not answer it ends in time all the same."""
    with World() as world:
        folder, sink = logs(world), Sink()
        config = agent_config(world, f"  - {{url: {sink.url}, batchwait: 10s}}", f"{folder}/*.log")
        config.write_text("global: {shutdown_timeout: 4s}\n" + config.read_text())
        (folder / "app.log").write_text("early\n")
        agent, url = run_agent(world, config)
        eventually("the file is known", 20, lambda: metric(url, "promtail_read_lines_total") == 1)
        agent.process.send_signal(signal.SIGSTOP)  # so that it cannot have seen the next lines before the signal comes
        with (folder / "app.log").open("a") as f:
            f.write("late\n" * 20_000)
        agent.process.send_signal(signal.SIGTERM)
        agent.process.send_signal(signal.SIGCONT)
        assert agent.process.wait(ANSWER_SECONDS) == 0
        assert sink.pushes >= 1
        size = (folder / "app.log").stat().st_size
        saved = (world.folder / "positions.yaml").read_text()
        assert f'"{size}"' in saved, (size, saved)
        sink.go_on.clear()
        with (folder / "app.log").open("a") as f:
            f.write("for nobody\n" * 1000)
        agent, url = run_agent(world, config)
        eventually("the lines are read", 20, lambda: metric(url, "promtail_read_lines_total") == 1000)
        begin = time.monotonic()
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(ANSWER_SECONDS) == 0
        took = time.monotonic() - begin
        print(f"SIGTERM with a server that hangs: {took:.1f} s of 4")
        assert took < LATE_SECONDS, took
        assert f'"{size}"' in (world.folder / "positions.yaml").read_text()
        sink.go_on.set()


def case_slow_client():
    """One of two clients hangs: the other gets everything at once, and the first gets it later."""
    with World() as world:
        folder, slow, quick = logs(world), Sink(), Sink()
        slow.go_on.clear()
        clients = f"  - {{url: {slow.url}, name: slow, batchwait: 50ms}}\n  - {{url: {quick.url}, name: quick, batchwait: 50ms}}"
        agent, url = run_agent(world, agent_config(world, clients, f"{folder}/*.log"))
        text = "".join(f"{i} {'z' * 100}\n" for i in range(300_000))
        (folder / "app.log").write_text(text)
        host = quick.url.split("/")[2]
        eventually("the quick one has everything", 60, lambda: metric(url, "promtail_sent_entries_total", f'host="{host}"') == 300_000)
        host = slow.url.split("/")[2]
        assert metric(url, "promtail_sent_entries_total", f'host="{host}"') == 0
        assert memory_mib(agent) <= MEMORY_MAX_MIB, memory_mib(agent)
        slow.go_on.set()
        eventually("the slow one has everything", 60, lambda: metric(url, "promtail_sent_entries_total", f'host="{host}"') == 300_000)


def case_rotated_while_down():
    """A kill just after a numbered rotation, and two more while the agent is down: each line is there once."""
    with World() as world:
        folder = logs(world)
        _, server = world.kvasir()
        config = agent_config(world, f"  - {{url: '{server}/loki/api/v1/push'}}", f"{folder}/app.log*", "spool: {mode: always}\n")
        config.write_text(config.read_text().replace("sync_period: 500ms", "sync_period: 10s"))
        written = 0

        def write(lines):
            nonlocal written
            with (folder / "app.log").open("a") as f:
                f.write("".join(f"{i:08} {'x' * 47}\n" for i in range(written, written + lines)))
            written += lines

        def rotate():
            for number in range(9, 0, -1):
                if (folder / f"app.log.{number}").exists():
                    (folder / f"app.log.{number}").rename(folder / f"app.log.{number + 1}")
            (folder / "app.log").rename(folder / "app.log.1")
            (folder / "app.log").touch()

        write(200)
        agent, _ = run_agent(world, config)
        time.sleep(2)
        rotate()
        write(220)
        time.sleep(12)  # the state is saved once with the new file, and not yet with the next rotation
        rotate()
        time.sleep(1)
        agent.process.kill()
        agent.process.wait()
        for _ in range(2):
            write(250)
            rotate()
        write(100)
        run_agent(world, config)
        ask = server + "/loki/api/v1/query_range?limit=5000&query=" + urllib.parse.quote('{job="test"}')

        def numbers():
            return sorted(int(line[:8]) for stream in fetch_json(ask)["data"]["result"] for _, line in stream["values"])

        eventually("every line is there once", 40, lambda: numbers() == list(range(written)))


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
