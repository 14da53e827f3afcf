#!/usr/bin/env python3
"""Agent and server under stress while numbered lines are written and files rotated: both are killed (-9) again and again, the
network between them is cut or its connections are closed, the disk of either is full for a while, the agent's clock jumps, and its
configuration is reloaded right after files were rotated.

    tests/fault/agent_chaos.py [--lines N] [--seconds S] [--rotations PER_SECOND] [--seed S] [--bin DIR] [--keep]

Law: every line that was written is in the server exactly once, and `kvasir-agent verify` says so of the files. The agent spools every batch before it sends it (spool.mode:
always), the server recognises repeated batches by X-Kvasir-Source and X-Kvasir-Range.

Three files are written: one rotated by rename; one by copy-and-truncate to a name that is not asked for (truncated only when the
agent has read it to its end: what is cut away between two reads exists nowhere any more, so no reader can promise it); one copied
slowly, piece by piece, to a name that the agent's pattern finds, and cut when all of it is copied, whatever the agent has read. The seed
decides when what happens.

Network: a proxy stands between the two; cut means that connections end, also between a push and its answer, and none are made.
         Closed means that they end once, as when the server ends idle ones.
Disk:    the limit on the size of files (RLIMIT_FSIZE) of the process falls to 0: every write of spool and positions fails, or of log,
         segments and index.
Clock:   a library that is loaded before the C library adds the number in a file to the wall clock (cc is needed; else no jumps).
Exit code 77 (skipped) without the programs.
"""
import argparse
import json
import os
import random
import resource
import select
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'e2e'))
from running import free_port  # noqa: E402

SKIPPED = 77
STALL_SECONDS = 150  # without a new line at the server: then none comes any more
PAGE = 100_000
FILES_PROVED = 40
CLOCK_SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *out) {
  const int result = (int)syscall(SYS_clock_gettime, id, out);
  if (id != CLOCK_REALTIME) return result;
  static int fd = -2;
  if (fd == -2) fd = open(getenv("CHAOS_CLOCK"), O_RDONLY | O_CLOEXEC);
  char text[32] = {0};
  if (fd >= 0 && pread(fd, text, sizeof text - 1, 0) > 0) out->tv_sec += atol(text);
  return result;
}
"""


def wait_until(what, test, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if test():
            return
        time.sleep(0.05)
    raise SystemExit(f'FAILED: {what} did not happen within {seconds} s')


class Program:
    """A process that is killed and started again."""

    def __init__(self, command, log, env=None):
        self.command, self.log, self.env, self.process, self.kills = command, log, env, None, 0

    def start(self):
        # A write past the limit on sizes is to fail like one on a full disk, not to end the process.
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, env=self.env,
                                        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN), restore_signals=False)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def fill_disk(self, full):
        unlimited = resource.RLIM_INFINITY
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0 if full else unlimited, unlimited))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(300)


class Proxy(threading.Thread):
    """Hands bytes on between the agent and the server until it is cut."""

    def __init__(self, to_port):
        super().__init__(daemon=True)
        self.to_port, self.is_cut, self.cuts, self.close_all, self.closes = to_port, False, 0, False, 0
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = {}

    def cut(self, on):
        self.is_cut = on
        self.cuts += on

    def close_connections(self):
        self.close_all = True
        self.closes += 1

    def run(self):
        while True:
            ready, _, _ = select.select([self.listener, *self.pairs], [], [], 0.05)
            if self.is_cut or self.close_all:
                self.close_all = False
                for side in list(self.pairs):
                    self.close(side)
            for side in ready:
                if side is self.listener:
                    self.accept()
                elif side in self.pairs:
                    self.pump(side)

    def accept(self):
        near, _ = self.listener.accept()
        try:
            if self.is_cut:
                raise OSError('cut')
            far = socket.create_connection(('127.0.0.1', self.to_port), 1)
        except OSError:
            near.close()
            return
        self.pairs[near], self.pairs[far] = far, near

    def pump(self, side):
        try:
            data = side.recv(1 << 18)
            if data:
                self.pairs[side].sendall(data)
                return
        except OSError:
            pass
        self.close(side)

    def close(self, side):
        other = self.pairs.pop(side, None)
        self.pairs.pop(other, None)
        for end in (side, other):
            if end is not None:
                end.close()


class Chaos:
    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)       # of the trouble
        self.writes = random.Random(args.seed + 1)   # of the writer
        self.dir = tempfile.mkdtemp(prefix='agent_chaos_')
        self.port, self.agent_port = free_port(), free_port()
        os.makedirs(os.path.join(self.dir, 'logs'))
        self.paths = [os.path.join(self.dir, 'logs', name) for name in ('renamed.log', 'truncated.log', 'copied.log')]
        # Through a pipe: a program whose disk is full can still say so.
        with open(os.path.join(self.dir, 'programs.log'), 'ab') as log:
            self.log = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=log).stdin
        self.server = Program([os.path.join(args.bin, 'kvasir'), '-config.file=' + self.server_config()], self.log)
        self.proxy = Proxy(self.port)
        self.proxy.start()
        self.agent = Program([os.path.join(args.bin, 'kvasir-agent'), '-config.file=' + self.agent_config()], self.log,
                             self.jumping_clock())
        self.disk_full = self.server_full = self.jumps = self.reloads = 0
        self.written = 0
        self.began = time.time_ns() - 3 * 3600 * 10**9  # the clock jumps back, too
        self.rotations = 0
        self.stop_trouble = threading.Event()

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def jumping_clock(self):
        """The environment of a program whose clock self.set_clock() moves, or None where that cannot be had."""
        self.set_clock(0)
        library = os.path.join(self.dir, 'clock.so')
        compiler = shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')
        if compiler is None:
            print('no C compiler: the clock does not jump')
            return None
        subprocess.run([compiler, '-shared', '-fPIC', '-O1', '-o', library, self.file('clock.c', CLOCK_SHIM)], check=True)
        return {**os.environ, 'LD_PRELOAD': library, 'CHAOS_CLOCK': os.path.join(self.dir, 'clock')}

    def set_clock(self, seconds):
        path = os.path.join(self.dir, 'clock')
        with open(path, 'r+' if os.path.exists(path) else 'w') as f:  # in place: the library holds it open
            f.write(str(seconds).ljust(16))

    def server_config(self):
        return self.file('kvasir.yaml', f'''auth_enabled: false
server: {{http_listen_address: 127.0.0.1, http_listen_port: {self.port}, grpc_listen_port: 0, log_level: warn}}
common: {{path_prefix: {self.dir}/data}}
limits_config: {{ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB,
                 max_entries_limit_per_query: 100000}}
''')

    def agent_config(self):
        return self.file('agent.yaml', f'''server: {{http_listen_address: 127.0.0.1, http_listen_port: {self.agent_port}, log_level: warn}}
positions: {{filename: {self.dir}/positions.yaml, sync_period: 500ms}}
target_config: {{sync_period: 200ms}}
spool: {{mode: always, fsync: false}}
clients:
  - url: http://127.0.0.1:{self.proxy.port}/loki/api/v1/push
    name: chaos
    batchwait: 50ms
    batchsize: 262144
    timeout: 5s
    backoff_config: {{min_period: 50ms, max_period: 500ms, max_retries: 0}}
scrape_configs:
  - job_name: chaos
    static_configs: [{{labels: {{job: chaos, __path__: {self.dir}/logs/*.log}}}}]
''')

    def get(self, port, path, **params):
        url = f'http://127.0.0.1:{port}{path}?' + urllib.parse.urlencode(params)
        with urllib.request.urlopen(url, timeout=300) as answer:
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
        """Does harm at random until told to stop; all is well again at its end."""
        harm = ([self.kill_agent] * 4 + [self.kill_server] * 2 + [self.cut_network] * 2 +
                [self.fill_disk, self.fill_server_disk, self.proxy.close_connections, self.jump])
        while not self.stop_trouble.wait(self.random.uniform(0.2, 1.5)):
            self.random.choice(harm)()
        self.set_clock(0)

    def pause(self):
        self.stop_trouble.wait(self.random.uniform(0, 1.0))

    def kill_agent(self):
        self.agent.kill()
        self.pause()
        self.agent.start()

    def kill_server(self):
        self.server.kill()
        self.pause()
        self.server.start()

    def cut_network(self):
        self.proxy.cut(True)
        self.pause()
        self.proxy.cut(False)

    def fill_disk(self):
        """And sometimes the agent dies of it."""
        self.disk_full += 1
        self.agent.fill_disk(True)
        self.pause()
        if self.random.random() < 0.5:
            self.kill_agent()
        else:
            self.agent.fill_disk(False)

    def fill_server_disk(self):
        self.server_full += 1
        self.server.fill_disk(True)
        self.pause()
        if self.random.random() < 0.5:
            self.kill_server()
        else:
            self.server.fill_disk(False)

    def reload(self):
        """Now, with a configuration that reads otherwise and means the same."""
        with open(os.path.join(self.dir, 'agent.yaml'), 'a') as f:
            f.write(f'# {self.reloads}\n')
        try:
            self.agent.process.send_signal(signal.SIGHUP)
        except OSError:
            return
        self.reloads += 1

    def jump(self):
        """Within what a server takes: at most ten minutes into the future, and an hour behind the newest entry of the stream."""
        self.jumps += self.agent.env is not None
        self.set_clock(self.random.choice([-3000, -60, -1, 1, 60, 300]))

    def agent_knows(self, paths):
        """The saved state has these files: what was rotated away before anybody saw it cannot be found."""
        try:
            with open(os.path.join(self.dir, 'positions.yaml.state')) as f:
                state = f.read()
            return all(path in state for path in paths)
        except OSError:
            return False

    def write(self):
        renamed, truncated, copied = self.paths
        copy = None
        files = {path: open(path, 'a') for path in self.paths}
        pause = self.args.seconds / max(self.args.lines / 200, 1)
        rotation = min(self.args.rotations * pause, 1.0)
        began = time.monotonic()
        while self.written < self.args.lines:
            for _ in range(min(200, self.args.lines - self.written)):
                path = self.writes.choices(self.paths, (6, 3, 1))[0]
                files[path].write(f'{self.written:010d} {"x" * self.writes.randrange(0, 160)}\n')
                self.written += 1
            for f in files.values():
                f.flush()
            if self.writes.random() < rotation:
                self.rotations += 1
                files[renamed].close()
                os.rename(renamed, f'{renamed}.{self.rotations}')
                files[renamed] = open(renamed, 'a')
                if self.writes.random() < 0.1:
                    self.reload()
            if self.writes.random() < rotation / 10 and self.agent_read(truncated) == os.path.getsize(truncated):
                # Between this look and the cut nothing is written, so nothing is lost by it.
                self.rotations += 1
                shutil.copy(truncated, f'{truncated}.{self.rotations}')
                os.truncate(truncated, 0)
            if copy is not None:
                copy = self.copy_on(copy, copied)
            elif self.writes.random() < rotation:
                self.rotations += 1
                copy = (open(copied, 'rb'), open(f'{copied[:-4]}.{self.rotations}.log', 'wb', buffering=0))
            time.sleep(max(0, began + pause * self.written / 200 - time.monotonic()))
        while copy is not None:  # half a copy that nobody goes on with is rightly called not whole
            copy = self.copy_on(copy, copied)
        for f in files.values():
            f.close()

    def copy_on(self, copy, path):
        """A piece of a slow copy that the agent's pattern asks for too; what was copied is cut off when all of it was."""
        source, target = copy
        target.write(source.read(self.writes.choice([0, 1, 500, 4096, 20_000, 20_000])))
        if target.tell() < os.path.getsize(path):
            return copy
        os.truncate(path, 0)
        source.close()
        target.close()
        return None

    def received(self):
        """How often each line of the server occurs, by its number; read in pages."""
        seen, start = bytearray(self.written), self.began
        while True:
            answer = json.loads(self.get(self.port, '/loki/api/v1/query_range', query='{job="chaos"}', limit=PAGE,
                                         direction='forward', start=start, end=time.time_ns() + 600 * 10**9))
            page = [(int(ts), line) for stream in answer['data']['result'] for ts, line in stream['values']]
            if not page:
                return seen
            page.sort()
            last = page[-1][0]
            if len(page) >= PAGE and page[0][0] != last:  # the last time may be cut; it comes again
                page = [item for item in page if item[0] < last]
                start = last
            else:
                start = last + 1
            for _, line in page:
                number = int(line[:10])
                seen[number] = min(seen[number] + 1, 255)

    def not_proved(self):
        """Of some of the files, what `verify` does not call whole and sent once."""
        names = sorted(os.listdir(os.path.join(self.dir, 'logs')))
        problems = []
        for name in self.random.sample(names, min(FILES_PROVED, len(names))):
            path = os.path.join(self.dir, 'logs', name)
            done = subprocess.run([os.path.join(self.args.bin, 'kvasir-agent'), 'verify',
                                   '-config.file=' + os.path.join(self.dir, 'agent.yaml'), path], capture_output=True, text=True)
            if os.path.getsize(path) > 0 and (done.returncode != 0 or 'more than once' in done.stdout):
                problems.append(done.stdout + done.stderr)
        return problems

    def count(self):
        try:
            answer = json.loads(self.get(self.port, '/loki/api/v1/query', query='sum(count_over_time({job="chaos"}[24h]))',
                                         time=time.time_ns() + 600 * 10**9))
            result = answer['data']['result']
            return int(float(result[0]['value'][1])) if result else 0
        except (OSError, urllib.error.URLError, ValueError):
            return -1

    def wait_for_lines(self):
        most, since = -1, time.monotonic()
        while most < self.written and time.monotonic() - since < STALL_SECONDS:
            count = self.count()
            if count > most:
                most, since = count, time.monotonic()
            time.sleep(0.3 if self.args.lines <= 1_000_000 else 10)

    def run(self):
        self.server.start()
        wait_until('the server is up', lambda: self.is_up(self.port), 120)
        self.agent.start()
        for path in self.paths:
            open(path, 'a').close()
        wait_until('the agent knows both files', lambda: self.agent_knows(self.paths), 120)
        trouble = threading.Thread(target=self.trouble)
        trouble.start()
        try:
            self.write()
        finally:
            self.stop_trouble.set()
            trouble.join()
        wait_until('the server is up again', lambda: self.is_up(self.port), 300)
        self.wait_for_lines()
        code = self.agent.stop()
        seen = self.received()
        unproved = self.not_proved()
        self.server.stop()
        lost = [n for n, times in enumerate(seen) if times == 0]
        twice = [n for n, times in enumerate(seen) if times > 1]
        print(f'seed {self.args.seed}: {self.written} lines, {self.rotations} rotations, agent killed {self.agent.kills}x, server '
              f'{self.server.kills}x, network cut {self.proxy.cuts}x, connections closed {self.proxy.closes}x, disk full at the agent '
              f'{self.disk_full}x, at the server {self.server_full}x, clock jumped {self.jumps}x, reloaded {self.reloads}x: '
              f'lost {len(lost)}, duplicated {len(twice)}, agent exit {code}')
        if unproved:
            print('not proved by verify:', len(unproved), *unproved[:5])
        if lost:
            print('first lost:', lost[:10])
        if twice:
            print('first duplicated:', twice[:10])
        return not lost and not twice and not unproved and code == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--lines', type=int, default=100_000)
    parser.add_argument('--seconds', type=float, default=25, help='time over which the lines are written')
    parser.add_argument('--rotations', type=float, default=2, help='of the renamed file, per second')
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
