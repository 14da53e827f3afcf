#!/usr/bin/env python3
"""Agent and server under stress: both are killed (-9) again and again while numbered lines are written and files rotated.

    tests/fault/agent_chaos.py [--lines N] [--seed S] [--bin DIR] [--keep]

Law: every line that was written is in the server exactly once. The agent spools every batch before it sends it (spool.mode:
always), the server recognises repeated batches by X-Kvasir-Source and X-Kvasir-Range.

Two files are written: one rotated by rename, one by copy-and-truncate (truncated only when the agent has read it to its end:
what is cut away between two reads exists nowhere any more, so no reader can promise it). The seed decides when what happens.
Exit code 77 (skipped) without the programs.
"""
import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

SKIPPED = 77
PAGE = 5000


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_until(what, test, seconds):
    deadline = time.time() + seconds
    while time.time() < deadline:
        if test():
            return
        time.sleep(0.05)
    raise SystemExit(f'FAILED: {what} did not happen within {seconds} s')


class Program:
    """A process that is killed and started again."""

    def __init__(self, command, log):
        self.command, self.log, self.process, self.kills = command, log, None, 0

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class Chaos:
    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)
        self.dir = tempfile.mkdtemp(prefix='agent_chaos_')
        self.port, self.agent_port = free_port(), free_port()
        os.makedirs(os.path.join(self.dir, 'logs'))
        self.paths = [os.path.join(self.dir, 'logs', name) for name in ('renamed.log', 'truncated.log')]
        self.log = open(os.path.join(self.dir, 'programs.log'), 'ab')
        self.server = Program([os.path.join(args.bin, 'kvasir'), '-config.file=' + self.server_config()], self.log)
        self.agent = Program([os.path.join(args.bin, 'kvasir-agent'), '-config.file=' + self.agent_config()], self.log)
        self.written = 0
        self.began = time.time_ns() - 10**9
        self.rotations = 0
        self.stop_trouble = threading.Event()

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def server_config(self):
        return self.file('kvasir.yaml', f'''auth_enabled: false
server: {{http_listen_address: 127.0.0.1, http_listen_port: {self.port}, grpc_listen_port: 0, log_level: warn}}
common: {{path_prefix: {self.dir}/data}}
limits_config: {{ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB}}
''')

    def agent_config(self):
        return self.file('agent.yaml', f'''server: {{http_listen_address: 127.0.0.1, http_listen_port: {self.agent_port}, log_level: warn}}
positions: {{filename: {self.dir}/positions.yaml, sync_period: 500ms}}
target_config: {{sync_period: 200ms}}
spool: {{mode: always, fsync: false}}
clients:
  - url: http://127.0.0.1:{self.port}/loki/api/v1/push
    name: chaos
    batchwait: 50ms
    batchsize: 65536
    timeout: 5s
    backoff_config: {{min_period: 50ms, max_period: 500ms, max_retries: 0}}
scrape_configs:
  - job_name: chaos
    static_configs: [{{labels: {{job: chaos, __path__: {self.dir}/logs/*.log}}}}]
''')

    def get(self, port, path, **params):
        url = f'http://127.0.0.1:{port}{path}?' + urllib.parse.urlencode(params)
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read().decode()

    def is_up(self, port):
        try:
            with socket.create_connection(('127.0.0.1', port), 0.2):
                return True
        except OSError:
            return False

    def agent_read(self, path):
        """How far the running agent has read a file, or -1."""
        try:
            for line in self.get(self.agent_port, '/metrics').splitlines():
                if line.startswith('promtail_read_bytes_total') and path in line:
                    return float(line.rsplit(' ', 1)[1])
        except (OSError, urllib.error.URLError):
            pass
        return -1

    def trouble(self):
        """Kills agent and server at random until told to stop; both are up at its end."""
        while not self.stop_trouble.wait(self.random.uniform(0.2, 1.5)):
            victim = self.random.choice([self.agent, self.agent, self.server])
            victim.kill()
            if self.stop_trouble.wait(self.random.uniform(0, 1.0)):
                pass
            victim.start()

    def agent_knows(self, paths):
        """The saved state has these files: what was rotated away before anybody saw it cannot be found."""
        try:
            with open(os.path.join(self.dir, 'positions.yaml.state')) as f:
                state = f.read()
            return all(path in state for path in paths)
        except OSError:
            return False

    def write(self):
        renamed, truncated = self.paths
        files = {path: open(path, 'a') for path in self.paths}
        pause = self.args.seconds / max(self.args.lines / 200, 1)
        while self.written < self.args.lines:
            for _ in range(min(200, self.args.lines - self.written)):
                path = renamed if self.random.random() < 0.7 else truncated
                files[path].write(f'{self.written:010d} {"x" * self.random.randrange(0, 160)}\n')
                self.written += 1
            for f in files.values():
                f.flush()
            if self.random.random() < 0.2:
                self.rotations += 1
                files[renamed].close()
                os.rename(renamed, f'{renamed}.{self.rotations}')
                files[renamed] = open(renamed, 'a')
            if self.random.random() < 0.01 and self.agent_read(truncated) == os.path.getsize(truncated):
                # Between this look and the cut nothing is written, so nothing is lost by it.
                self.rotations += 1
                shutil.copy(truncated, f'{truncated}.{self.rotations}')
                os.truncate(truncated, 0)
            time.sleep(pause)
        for f in files.values():
            f.close()

    def received(self):
        """Every line of the server, in pages."""
        lines, start = [], self.began
        while True:
            answer = json.loads(self.get(self.port, '/loki/api/v1/query_range', query='{job="chaos"}', limit=PAGE,
                                         direction='forward', start=start, end=time.time_ns() + 10**9))
            page = [(int(ts), line) for stream in answer['data']['result'] for ts, line in stream['values']]
            if not page:
                return lines
            page.sort()
            last = page[-1][0]
            if len(page) >= PAGE and page[0][0] != last:  # the last time may be cut; it comes again
                page = [item for item in page if item[0] < last]
                start = last
            else:
                start = last + 1
            lines += [line for _, line in page]

    def count(self):
        try:
            answer = json.loads(self.get(self.port, '/loki/api/v1/query', query='sum(count_over_time({job="chaos"}[24h]))'))
            result = answer['data']['result']
            return int(float(result[0]['value'][1])) if result else 0
        except (OSError, urllib.error.URLError, ValueError):
            return -1

    def run(self):
        self.server.start()
        wait_until('the server is up', lambda: self.is_up(self.port), 20)
        self.agent.start()
        for path in self.paths:
            open(path, 'a').close()
        wait_until('the agent knows both files', lambda: self.agent_knows(self.paths), 30)
        trouble = threading.Thread(target=self.trouble)
        trouble.start()
        try:
            self.write()
        finally:
            self.stop_trouble.set()
            trouble.join()
        wait_until('the server is up again', lambda: self.is_up(self.port), 60)
        patience = 30 + self.args.lines / 20000
        deadline = time.time() + patience
        while time.time() < deadline and self.count() < self.written:
            time.sleep(0.3)
        code = self.agent.stop()
        seen = {}
        for line in self.received():
            number = int(line[:10])
            seen[number] = seen.get(number, 0) + 1
        self.server.stop()
        lost = [n for n in range(self.written) if n not in seen]
        twice = [n for n, times in seen.items() if times > 1]
        print(f'seed {self.args.seed}: {self.written} lines, {self.rotations} rotations, agent killed {self.agent.kills}x, server '
              f'{self.server.kills}x: lost {len(lost)}, duplicated {len(twice)}, agent exit {code}')
        if lost:
            print('first lost:', lost[:10])
        if twice:
            print('first duplicated:', twice[:10])
        return not lost and not twice and code == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--lines', type=int, default=100_000)
    parser.add_argument('--seconds', type=float, default=25, help='time over which the lines are written')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--bin', default=os.environ.get('KVASIR_BIN', 'build/release/bin'))
    parser.add_argument('--keep', action='store_true')
    args = parser.parse_args()
    for program in ('kvasir', 'kvasir-agent'):
        if not os.access(os.path.join(args.bin, program), os.X_OK):
            print(f'skipped: no {program} in {args.bin}')
            return SKIPPED
    chaos = Chaos(args)
    ok = False
    try:
        ok = chaos.run()
    finally:
        for program in (chaos.agent, chaos.server):
            if program.process is not None and program.process.poll() is None:
                program.process.kill()
                program.process.wait()
        if ok and not args.keep:
            shutil.rmtree(chaos.dir)
        else:
            print('left behind:', chaos.dir)
    return 0 if ok else 1


if __name__ == '__main__':
    sys.exit(main())
