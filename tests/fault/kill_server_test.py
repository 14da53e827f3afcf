#!/usr/bin/env python3
"""The server is killed (SIGKILL) again and again while clients push: every acknowledged line is found afterwards, none twice.

Clients send a batch again until it is acknowledged, as agents do. Timestamps of several lines are equal on purpose.
"""
import json
import random
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from running import World, eventually, fetch, fetch_json, free_port  # noqa: E402

CLIENTS = 4
KILLS = 8
BATCH = 25
CONFIG = """
ingester: {chunk_idle_period: 2s}
limits_config: {max_entries_limit_per_query: 1000000, ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000,
                per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB}
"""


class Client(threading.Thread):
    def __init__(self, url, number, start_ns):
        super().__init__()
        self.url, self.number, self.start_ns = url, number, start_ns
        self.sent, self.acknowledged = set(), set()
        self.stop = threading.Event()

    def run(self):
        for batch in range(10**9):
            if self.stop.is_set():
                return
            lines = [(self.start_ns + (batch * BATCH + i) // 3 * 1000, f"client {self.number} batch {batch} line {i}")
                     for i in range(BATCH)]
            self.sent.update(lines)
            if self.push_until_acknowledged(lines):
                self.acknowledged.update(lines)

    def push_until_acknowledged(self, lines):
        streams = [{"stream": {"client": str(self.number), "part": str(part)},
                    "values": [[str(ns), text] for ns, text in lines[part::2]]} for part in (0, 1)]
        body = json.dumps({"streams": streams}).encode()
        while not self.stop.is_set():
            try:
                status, text = fetch(self.url + "/loki/api/v1/push", body, {"Content-Type": "application/json"})
                if status == 204:
                    return True
                assert status >= 500 or status == 429, (status, text)
            except OSError:
                pass
            time.sleep(0.02)
        return False


def found_lines(url, client, start_ns):
    """Every (timestamp, line) of the client, as often as it is found."""
    answer = fetch_json(url + "/loki/api/v1/query_range", query=f'{{client="{client}"}}', start=start_ns - 1, direction="forward",
                        end=start_ns + 3600 * 10**9, limit=1000000)
    return [(int(ns), line) for stream in answer["data"]["result"] for ns, line, *_ in stream["values"]]


def check(url, client):
    found = found_lines(url, client.number, client.start_ns)
    distinct = set(found)
    assert len(found) == len(distinct), f"client {client.number}: {len(found) - len(distinct)} lines twice"
    lost = client.acknowledged - distinct
    assert not lost, f"client {client.number}: {len(lost)} of {len(client.acknowledged)} lost, such as {sorted(lost)[:3]}"
    foreign = distinct - client.sent
    assert not foreign, f"client {client.number}: never sent: {sorted(foreign)[:3]}"
    count = fetch_json(url + "/loki/api/v1/query", query=f'sum(count_over_time({{client="{client.number}"}}[2h]))',
                       time=client.start_ns + 3600 * 10**9)["data"]["result"]
    assert int(float(count[0]["value"][1])) == len(distinct), (count, len(distinct))
    return len(client.acknowledged)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10**6)
    print("seed", seed)
    dice = random.Random(seed)
    with World() as world:
        port = free_port()
        server, url = world.kvasir(CONFIG, port)
        start_ns = time.time_ns() - 60 * 10**9
        clients = [Client(url, number, start_ns) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            for kill in range(KILLS):
                time.sleep(dice.uniform(0.3, 1.5))
                if kill % 3 == 1:
                    threading.Thread(target=lambda: quietly_flush(url), daemon=True).start()
                    time.sleep(dice.uniform(0, 0.1))
                server.stop(signal.SIGKILL)
                server.start()
                eventually("kvasir is ready again", 60, lambda: fetch(url + "/ready")[0] == 200)
            time.sleep(0.5)
        finally:
            for client in clients:
                client.stop.set()
            for client in clients:
                client.join()
        total = sum(check(url, client) for client in clients)
        assert fetch(url + "/flush", b"")[0] == 204
        assert sum(check(url, client) for client in clients) == total
        server.stop(signal.SIGTERM)
        server.start()
        eventually("kvasir is ready at last", 60, lambda: fetch(url + "/ready")[0] == 200)
        assert sum(check(url, client) for client in clients) == total
    print(f"{total} acknowledged lines over {KILLS} kills, all found once")
    print("1 passed, 0 failed")


def quietly_flush(url):
    try:
        fetch(url + "/flush", b"")
    except OSError:
        pass


if __name__ == "__main__":
    main()
