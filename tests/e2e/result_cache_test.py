#!/usr/bin/env python3
"""Cached parts of range queries: they are used, and a late line, a deletion or its end is seen at once all the same."""
import json
import time
import urllib.parse

from running import World, eventually, fetch, fetch_json

CONFIG = """
limits_config: {ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB}
compactor: {retention_enabled: true, delete_request_store: filesystem}
"""
STEP = 60
NOW = int(time.time()) // STEP * STEP
START, END = NOW - 6 * 3600, NOW - 3600
QUERIES = ['sum by (app) (count_over_time({app=~".+"} [5m]))', 'sum(rate({app="a"} |= "7" [1m] offset 2m)) * 60',
           'topk(1, sum by (app) (bytes_over_time({app=~".+"} [2m])))', 'count_over_time({app="b"} | drop detected_level [10m]) > 5']


class Server:
    def __init__(self, url):
        self.url = url

    def push(self, app, seconds, line):
        values = [[str(t * 10**9), line.format(t)] for t in seconds]
        body = json.dumps({"streams": [{"stream": {"app": app}, "values": values}]}).encode()
        assert fetch(self.url + "/loki/api/v1/push", body, {"Content-Type": "application/json"})[0] == 204

    def flush(self):
        assert fetch(self.url + "/flush", b"")[0] == 204

    def ask(self, query, start=START, end=END, fresh=False):
        params = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": STEP})
        status, text = fetch(f"{self.url}/loki/api/v1/query_range?{params}", headers={"Cache-Control": "no-cache"} if fresh else {})
        assert status == 200, text
        return json.loads(text)["data"]["result"]

    def counter(self, name):
        text = fetch(self.url + "/metrics")[1]
        return sum(float(row.split()[-1]) for row in text.splitlines() if row.startswith(name + "{"))

    def check(self, what):
        """Every query gives with and without the cache the same, over the whole range and over windows that move."""
        for query in QUERIES:
            for start, end in ((START, END), (START + 7 * STEP, END), (START + 1000, END - 3333), (END - 1800, NOW)):
                fresh, cached, again = self.ask(query, start, end, True), self.ask(query, start, end), self.ask(query, start, end)
                assert fresh == cached == again, (what, query, start, end)

    def hits_of(self, query):
        before = self.counter("loki_cache_hits")
        self.ask(query)
        return self.counter("loki_cache_hits") - before


def delete(url, **params):
    return fetch(f"{url}/loki/api/v1/delete?{urllib.parse.urlencode(params)}", b"")[0]


def main():
    with World() as world:
        program, url = world.kvasir(CONFIG)
        server = Server(url)
        server.push("a", range(START, NOW, 10), "line {}")
        server.push("b", range(START, NOW, 25), "other {}")
        server.check("all in the head")
        assert server.counter("loki_embeddedcache_entries") == 0, "what is in the head may change"
        server.flush()
        server.check("in segments")
        assert server.hits_of(QUERIES[0]) >= 8 and server.counter("loki_embeddedcache_memory_bytes") > 1000
        total = lambda: sum(int(float(v)) for s in server.ask(QUERIES[0]) for _, v in s["values"])
        whole = total()
        server.push("late", [START + 7200], "late {}")
        assert total() == whole + 5, "a line in the past is seen at once (in the windows of five steps)"
        server.check("a late line in the head")
        server.flush()
        assert total() == whole + 5
        server.check("the late line in a segment")
        assert server.hits_of(QUERIES[0]) >= 8
        assert delete(url, query='{app="late"}', start=START, end=NOW) == 204
        assert total() == whole, "a deletion is seen at once"
        server.check("deleted")
        request = fetch_json(url + "/loki/api/v1/delete")[0]["request_id"]
        assert fetch(f"{url}/loki/api/v1/delete?request_id={request}&force=true", method="DELETE")[0] == 204
        assert total() == whole + 5, "so is its end"
        server.check("the deletion was taken back")
        program.stop()
    with World() as world:
        _, url = world.kvasir("query_range: {cache_results: false}\n")
        server = Server(url)
        server.push("a", range(START, NOW, 10), "line {}")
        server.flush()
        server.check("switched off")
        assert server.counter("loki_cache_fetched_keys") == 0


if __name__ == "__main__":
    main()
