#!/usr/bin/env python3
"""A query that needs more memory than there is ends with the limit's error; the server stays small and goes on answering."""
import json
import threading
import time

from running import World, eventually, fetch, fetch_json

LIMIT = 160 << 20
CONFIG = f"""
limits_config: {{ingestion_rate_mb: 10000, ingestion_burst_size_mb: 10000, per_stream_rate_limit: 10GB, per_stream_rate_limit_burst: 10GB,
                discover_log_levels: false, max_query_series: 10000000}}
kvasir: {{memory_limit: {LIMIT}, head_limit: {24 << 20}, block_cache_size: {16 << 20}}}
query_range: {{cache_results: false}}
"""
LINES = 240_000
PUSH = 20_000
PEAK_MAX = 2 * LIMIT  # with what the allocator keeps


def push_lines(url, start):
    for begin in range(0, LINES, PUSH):
        values = [[str(start + i * 1_000_000), f'id={i:032x} who="{"w" * 60}{i}" n={i % 7}'] for i in range(begin, begin + PUSH)]
        body = json.dumps({"streams": [{"stream": {"app": "big"}, "values": values}]}).encode()

        def pushed():
            status, text = fetch(url + "/loki/api/v1/push", body, {"Content-Type": "application/json"})
            assert status in (204, 429, 503), (status, text)
            return status == 204
        eventually("the push is taken", 30, pushed)
    fetch(url + "/flush", b"")


class Watch(threading.Thread):
    """The most anonymous memory that a process held."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.open = pid, 0, True

    def run(self):
        while self.open:
            with open(f"/proc/{self.pid}/status") as status:
                now = next(int(row.split()[1]) << 10 for row in status if row.startswith("RssAnon:"))
            self.peak = max(self.peak, now)
            time.sleep(0.01)


def main():
    with World() as world:
        program, url = world.kvasir(CONFIG)
        start = (int(time.time()) - 600) * 1_000_000_000
        push_lines(url, start)
        span = {"start": str(start), "end": str(start + LINES * 1_000_000 + 1)}
        groups = 'sum by (id, who) (count_over_time({app="big"} | logfmt [1m]))'
        small = 'sum(count_over_time({app="big"} | logfmt | n="3" [10m]))'
        huge = [groups + " / " + groups + " + " + groups, groups + " and " + groups + " or " + groups,
                'label_replace(' + groups + ', "copy", "$1-$1-$1-$1-$1", "who", "(.*)") * ' + groups,
                'quantile_over_time(0.9, {app="big"} | logfmt | unwrap n [1m]) by (id, who)']
        watch = Watch(program.process.pid)
        watch.start()
        for query in huge:
            status, text = fetch(url + "/loki/api/v1/query_range?" + encoded({"query": query, "step": "60", **span}))
            assert status >= 400 and "memory limit" in text, (query, status, text[:300])
            assert program.process.poll() is None, "the server is gone"
            got = fetch_json(url + "/loki/api/v1/query", query=small, time=span["end"])["data"]["result"]
            assert int(got[0]["value"][1]) == sum(1 for i in range(LINES) if i % 7 == 3), got
        watch.open = False
        watch.join()
        assert watch.peak < PEAK_MAX, f"{watch.peak >> 20} MiB of memory with a limit of {LIMIT >> 20}"
        print(f"peak {watch.peak >> 20} MiB, limit {LIMIT >> 20} MiB")
    print("1 passed, 0 failed")


def encoded(params):
    from urllib.parse import urlencode
    return urlencode(params)


if __name__ == "__main__":
    main()
