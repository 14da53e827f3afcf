#!/usr/bin/env python3
"""What the agent costs: one plain file, pushed to a sink on this machine that throws everything away.

    bench/macro/agent_sink.py [--agent PATH] [--mib 1024] [--pipeline NAME ...]     (all of them if none is named)

Prints CPU-seconds (user + system) and peak memory of the agent process from its start to its end, MB/s over the wall time, and beside
it what `rg -c '"status":500'` (or grep) takes to read the same file once.
"""
import argparse
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
import urllib.request

PIPELINES = {
    'plain': '',
    'stamp': '''    pipeline_stages:
      - json: {expressions: {level: level, ts: ts}}
      - labels: {level: }
      - timestamp: {source: ts, format: RFC3339Nano}
''',
    'cri': '    pipeline_stages: [{cri: {}}]\n',
    'regex': '''    pipeline_stages:
      - regex: {expression: '"level":"(?P<level>[a-z]+)","service":"(?P<service>[^"]+)".*"status":(?P<status>[0-9]+)'}
      - labels: {level: }
''',
    'multiline': '''    pipeline_stages:
      - multiline: {firstline: '^[{]', max_wait_time: 1s}
''',
    'json': '''    pipeline_stages:
      - json: {expressions: {level: level, ms: ms}}
      - labels: {level: }
      - metrics:
          lines: {type: Counter, description: lines, config: {match_all: true, action: inc}}
          took: {type: Histogram, description: ms, source: ms, config: {buckets: [1, 10, 100, 1000]}}
''',
}


def write_file(path, size, seed, pipeline):
    """About `size` bytes of JSON lines, framed as the pipeline wants them; (entries, bytes). Nothing repeats: that would compress too well."""
    front = '2026-11-21T12:00:00.123456789Z stdout F ' if pipeline == 'cri' else ''
    rng = random.Random(seed)
    written = lines = 0
    with open(path, 'wb', 1 << 20) as f:
        while written < size:
            block = []
            for _ in range(10_000):
                block.append(front + '{"ts":"2026-11-21T12:%02d:%02d.%06dZ","level":"%s","service":"shop-%d","msg":"request done","path":"/api/v1/'
                             'items/%d","status":%d,"ms":%d,"trace_id":"%032x"}\n'
                             % (rng.randrange(60), rng.randrange(60), rng.randrange(10**6), rng.choice(('info', 'warn', 'error')),
                                rng.randrange(20), rng.randrange(10**6), rng.choice((200, 200, 404, 500)), rng.randrange(2000),
                                rng.getrandbits(128)))
                if pipeline == 'multiline':
                    block[-1] += ''.join('  at shop.cart.Checkout.pay(Checkout.java:%d)\n' % rng.randrange(500) for _ in range(rng.randrange(5)))
            data = ''.join(block).encode()
            f.write(data)
            written += len(data)
            lines += len(block)
    return lines, written


class Sink(threading.Thread):
    """Answers 204 to every request and counts its body."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.bytes = 0

    def run(self):
        while True:
            peer, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        buffer = memoryview(bytearray(1 << 20))
        held = b''
        while True:
            while b'\r\n\r\n' not in held:
                got = peer.recv(65536)
                if not got:
                    return
                held += got
            head, _, rest = held.partition(b'\r\n\r\n')
            length = next(int(line.split(b':')[1]) for line in head.split(b'\r\n') if line.lower().startswith(b'content-length'))
            self.bytes += length
            left = length - len(rest)
            held = rest[length:] if left < 0 else b''
            while left > 0:
                left -= peer.recv_into(buffer[:min(left, len(buffer))])
            peer.sendall(b'HTTP/1.1 204 No Content\r\n\r\n')


def searched(path):
    """Text on how long a search in the file takes."""
    tool = next((t for t in ('rg', 'grep') if shutil.which(t)), None)
    if tool is None:
        return 'no rg'
    start = time.time()
    search = subprocess.Popen([tool, '-c', '"status":500', path], stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(search.pid, 0)
    return f'{tool} -c {usage.ru_utime + usage.ru_stime:.2f} CPU-seconds, {time.time() - start:.2f} s'


def measure(args, pipeline):
    """True if every entry was sent."""
    folder = tempfile.mkdtemp(prefix='agent_sink_')
    try:
        log = os.path.join(folder, 'app.log')
        lines, size = write_file(log, args.mib << 20, args.seed, pipeline)
        search = searched(log)
        sink = Sink()
        sink.start()
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        with open(os.path.join(folder, 'agent.yaml'), 'w') as f:
            f.write(f'''server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}, log_level: error}}
positions: {{filename: {folder}/positions.yaml}}
clients: [{{url: "http://127.0.0.1:{sink.port}/loki/api/v1/push"}}]
scrape_configs:
  - job_name: bench
    static_configs: [{{labels: {{job: bench, __path__: {folder}/app.log}}}}]
{PIPELINES[pipeline]}''')
        start = time.time()
        agent = subprocess.Popen([args.agent, f'-config.file={folder}/agent.yaml'])
        sent = 0
        while sent < lines and agent.poll() is None:
            time.sleep(0.2)
            try:
                with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=5) as answer:
                    text = answer.read().decode()
                sent = sum(float(l.rsplit(' ', 1)[1]) for l in text.splitlines() if l.startswith('promtail_sent_entries_total'))
            except OSError:
                pass
        wall = time.time() - start
        agent.send_signal(signal.SIGTERM)
        _, _, usage = os.wait4(agent.pid, 0)
        cpu = usage.ru_utime + usage.ru_stime
        print(f'{pipeline}: {size >> 20} MiB, {lines} entries, sent {sent:.0f}: {cpu:.2f} CPU-seconds ({cpu * (1 << 30) / size:.2f} per GiB), '
              f'{size / wall / 1e6:.0f} MB/s, peak {usage.ru_maxrss / 1024:.0f} MiB, {sink.bytes >> 20} MiB pushed; {search}', flush=True)
        return sent == lines
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--agent', default='build/release/bin/kvasir-agent')
    parser.add_argument('--mib', type=int, default=1024)
    parser.add_argument('--pipeline', nargs='+', choices=sorted(PIPELINES), default=list(PIPELINES))
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    return 0 if all([measure(args, pipeline) for pipeline in args.pipeline]) else 1


if __name__ == '__main__':
    sys.exit(main())
