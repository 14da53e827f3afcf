#!/usr/bin/env python3
"""Answers of any length in flat memory: a million lines as JSON and NDJSON, compressed, to a slow reader, and by cursor."""
import http.client
import json
import subprocess
import threading
import time
import urllib.parse
import zlib

from running import World, eventually, fetch, fetch_json

CONFIG = """
limits_config: {max_entries_limit_per_query: 0, ingestion_rate_mb: 10000, ingestion_burst_size_mb: 10000, per_stream_rate_limit: 10GB,
                per_stream_rate_limit_burst: 10GB, discover_log_levels: false}
"""
LINES = 1_000_000
STREAMS = 8
PUSH = 50_000
SAME_INSTANT = 1000          # so many lines share one timestamp
GROWTH_MAX = 120 << 20       # bytes of memory that an answer may cost


def line_of(i):
    return f"line {i:07d} " + "x" * 150 + f" user={i * 7919 % 1000}"


def push_lines(url, start):
    for begin in range(0, LINES, PUSH):
        streams = [{"stream": {"app": "long", "n": str(n)}, "values": []} for n in range(STREAMS)]
        for i in range(begin, begin + PUSH):
            streams[i % STREAMS]["values"].append([str(start + i // SAME_INSTANT * 1_000_000), line_of(i)])
        body = json.dumps({"streams": streams}).encode()

        def pushed():
            status, text = fetch(url + "/loki/api/v1/push", body, {"Content-Type": "application/json"})
            if status not in (204, 429, 503):
                raise RuntimeError(f"{status}: {text}")
            return status == 204
        eventually("the push is taken", 30, pushed)


def memory_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(row.split()[1]) << 10 for row in status if row.startswith("RssAnon:"))


class Watch:
    """The most memory that a process held while this was open."""

    def __init__(self, pid):
        self.pid, self.before, self.peak, self.open = pid, memory_of(pid), 0, True
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while self.open:
            self.peak = max(self.peak, memory_of(self.pid))
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.open = False
        self.thread.join()

    def growth(self):
        return self.peak - self.before


def stream_answer(url, headers=None, pause=0, **params):
    """Headers and the pieces of the body as they come."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    connection.request("GET", parts.path + "?" + urllib.parse.urlencode(params), headers=headers or {})
    answer = connection.getresponse()
    assert answer.status == 200, (answer.status, answer.read()[:500])

    def pieces():
        while piece := answer.read(1 << 20):
            time.sleep(pause)
            yield piece
        connection.close()
    return answer.headers, pieces()


def check_json(program, url, params):
    with Watch(program.process.pid) as watch:
        _, pieces = stream_answer(url, **params, limit=LINES + 1)
        body = b"".join(pieces)
    answer = json.loads(body)
    seen, last = set(), {}
    for stream in answer["data"]["result"]:
        n = stream["stream"]["n"]
        for timestamp, line in stream["values"]:
            assert int(timestamp) <= last.get(n, 1 << 63), "newest first inside a stream"
            last[n] = int(timestamp)
            seen.add(line)
    assert len(seen) == LINES and seen == {line_of(i) for i in range(LINES)}, len(seen)
    assert answer["data"]["stats"]["summary"]["totalEntriesReturned"] == LINES
    return len(body), watch.growth()


def check_ndjson(program, url, params):
    with Watch(program.process.pid) as watch:
        headers, pieces = stream_answer(url, {"Accept": "application/x-ndjson", "Accept-Encoding": "gzip"}, **params, limit=LINES + 1,
                                        direction="forward")
        assert headers["Content-Type"] == "application/x-ndjson" and headers["Content-Encoding"] == "gzip", headers.items()
        unzip = zlib.decompressobj(31)
        rows, rest, last, size = 0, b"", (0, 0), 0
        for piece in pieces:
            size += len(piece)
            *whole, rest = (rest + unzip.decompress(piece)).split(b"\n")
            for text in whole:
                row = json.loads(text)
                place = tuple(int(part) for part in row["cursor"].split("-"))
                assert place > last and place[0] == int(row["timestamp"]), "oldest first over all streams"
                rows, last = rows + 1, place
    assert rows == LINES and rest == b"", rows
    return size, watch.growth()


def check_slow_reader(program, url, params):
    """A reader that takes 1 MiB every 50 ms: what it does not take is not made."""
    with Watch(program.process.pid) as watch:
        _, pieces = stream_answer(url, {"Accept-Encoding": "identity"}, 0.05, **params, limit=LINES + 1)
        for count, _ in enumerate(pieces):
            if count == 60:
                break
        assert fetch(url.replace("query_range", "labels"))[0] == 200, "others are served meanwhile"
        pieces.close()
    return count << 20, watch.growth()


def check_zstd(url, params):
    headers, pieces = stream_answer(url, {"Accept-Encoding": "zstd"}, **params, limit=200_000)
    assert headers["Content-Encoding"] == "zstd", headers.items()
    plain = subprocess.run(["zstd", "-d"], input=b"".join(pieces), capture_output=True, check=True).stdout
    assert sum(len(s["values"]) for s in json.loads(plain)["data"]["result"]) == 200_000


def check_cursor(url, params, direction):
    """Pages of 300 lines through instants of 1000."""
    seen, cursor, pages = [], "", 0
    while cursor or pages == 0:
        answer = fetch_json(url, **params, limit=300, direction=direction, cursor=cursor)
        seen += [line for stream in answer["data"]["result"] for _, line in stream["values"]]
        cursor, pages = answer["data"]["cursor"], pages + 1
    assert len(seen) == len(set(seen)) == 5000 and pages in (17, 18), (len(seen), len(set(seen)), pages)


def main():
    with World() as world:
        program, base = world.kvasir(CONFIG)
        start = (int(time.time()) - 3600) * 1_000_000_000
        push_lines(base, start)
        eventually("the lines are in segments", 60, lambda: fetch(base + "/flush", b"")[0] == 204)
        url = base + "/loki/api/v1/query_range"
        params = {"query": '{app="long"}', "start": start, "end": start + 3600 * 1_000_000_000}
        fetch_json(url, **params, limit=10)
        for name, check in (("json", check_json), ("ndjson, gzip", check_ndjson), ("slow reader", check_slow_reader)):
            begun = time.monotonic()
            size, growth = check(program, url, params)
            print(f"{name}: {size >> 20} MiB sent in {time.monotonic() - begun:.1f} s, memory grew by {growth >> 20} MiB")
            assert growth < GROWTH_MAX, growth
        check_zstd(url, params)
        few = {**params, "end": start + 5 * 1_000_000}
        check_cursor(url, few, "forward")
        check_cursor(url, few, "backward")
        assert fetch(url + "?" + urllib.parse.urlencode({**params, "cursor": "x"}))[0] == 400


if __name__ == "__main__":
    main()
