#!/usr/bin/env python3
"""One tenant tries to reach another's data on every route that the server says it has, in every way a request can name a tenant."""
import http.client
import json
import re
import socket
import time
import urllib.parse

from running import ANSWER_SECONDS, BIN, World, eventually, fetch, free_port

MARK = "zanzibar"       # in all that alice has: labels, values, lines, metadata, rules, delete requests
CONFIG = """
auth_enabled: true
querier: {multi_tenant_queries_enabled: true}
pattern_ingester: {enabled: true}
compactor: {retention_enabled: true, delete_request_store: filesystem}
kvasir:
  auth:
    credentials:
      - {name: alice, token: alice-token, role: admin, tenants: [alice]}
      - {name: bob, token: bob-token, role: admin, tenants: [bob]}
      - {name: reader, token: reader-token, role: read, tenants: [bob]}
      - {name: operator, token: operator-token, role: admin}
"""
LINE = f'{{"msg":"{MARK} line","{MARK}_field":"1"}}'
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
# Pages for operators show the process, not data of tenants; the operator of a tenant may not see them either where they would.
NOT_OF_TENANTS = {"/ingester/shutdown", "/ingester/prepare_shutdown", "/flush", "/-/reload", "/log_level"}


def call(url, method, path, headers, body=b""):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=ANSWER_SECONDS)
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def as_user(name, tenant=None):
    headers = {"Authorization": f"Bearer {name}-token"}
    return {**headers, "X-Scope-OrgID": tenant} if tenant else headers


def covers_of(path):
    """A push message that says of one file that its first ten bytes are stored, as snappy sends what it cannot compress."""
    def field(number, value):
        return bytes([number << 3 | 2, len(value)]) + value
    message = field(15, field(1, f"{MARK}-host/file/1".encode()) + field(2, path.encode()) + b"\x18\x01\x20\x07" + field(9, b"\x00\x0a"))
    return bytes([len(message)]) + bytes([60 << 2, len(message) - 1]) + message


def fill(url, now):
    repeatable = {"Content-Type": "application/x-protobuf", "X-Kvasir-Source": f"{MARK}-source", "X-Kvasir-Range": "0-1"}
    assert call(url, "POST", "/loki/api/v1/push", {**as_user("alice"), **repeatable}, covers_of(f"/var/log/{MARK}.log"))[0] == 204
    body = json.dumps({"streams": [{"stream": {"app": f"{MARK}-app", f"{MARK}_label": "x"},
                                    "values": [[str(now), LINE, {"trace_id": TRACE, f"{MARK}_meta": "y"}]]}]}).encode()
    assert call(url, "POST", "/loki/api/v1/push", {**as_user("alice"), "Content-Type": "application/json"}, body)[0] == 204
    rule = f"name: {MARK}_group\ninterval: 1s\nrules:\n- record: {MARK}:rec\n  expr: sum(count_over_time({{app=\"{MARK}-app\"}}[1m]))\n".encode()
    assert call(url, "POST", f"/loki/api/v1/rules/{MARK}", as_user("alice"), rule)[0] == 202
    query = urllib.parse.quote(f'{{app="{MARK}-app"}} |= "no such {MARK}"')
    answer = call(url, "POST", f"/loki/api/v1/delete?query={query}&start={now // 10**9 - 3600}&end={now // 10**9}", as_user("alice"))
    assert answer[0] == 204, answer


def cursor_of(url, now):
    query = urllib.parse.urlencode({"query": "{}", "start": now - 10**9, "end": now + 10**9})
    _, text = call(url, "GET", "/loki/api/v1/query_range?" + query, {**as_user("alice"), "Accept": "application/x-ndjson"})
    return json.loads(text.splitlines()[0])["cursor"]


def everything_of_alice(url, now):
    """What must be the same after bob's attempts."""
    query = urllib.parse.urlencode({"query": "{}", "start": now - 10**9, "end": now + 10**9})
    lines = json.loads(call(url, "GET", "/loki/api/v1/query_range?" + query, as_user("alice"))[1])["data"]["result"]
    rules = call(url, "GET", "/loki/api/v1/rules", as_user("alice"))[1]
    deletes = json.loads(call(url, "GET", "/loki/api/v1/delete", as_user("alice"))[1])
    return lines, rules, [(d["request_id"], d["query"]) for d in deletes]


def paths_of(pattern, cursor, request_id, now):
    """The route with alice's own names in it, and parameters that would select everything."""
    names = {"name": f"{MARK}_label", "id": TRACE, "cursor": cursor, "namespace": MARK, "group": f"{MARK}_group"}
    path = pattern
    for part in pattern.split("/"):
        if part.startswith("{"):
            path = path.replace(part, names.get(part.strip("{}.").rstrip("."), MARK))
    times = {"start": now - 3600 * 10**9, "end": now + 60 * 10**9, "time": now, "step": 60, "since": "1h", "request_id": request_id,
             "targetBytesPerShard": "1MB", "cursor": "", "path": f"/var/log/{MARK}.log", "device": 1, "inode": 7}
    for query in ("{}", '{app=~".+"}', f'{{trace_id="{TRACE}"}}', '{__tenant_id__=~".+"}', "count_over_time({} [1h])"):
        yield path + "?" + urllib.parse.urlencode({"query": query, "match[]": query, "match": query, **times})


def tail_reads(url, headers, seconds=1.2):
    """Bytes of a tail over everything, until the mark is among them."""
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), ANSWER_SECONDS) as client:
        lines = ["GET /loki/api/v1/tail?query=%7B%7D HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        client.sendall("\r\n".join(lines + [f"{k}: {v}" for k, v in headers.items()] + ["", ""]).encode())
        client.settimeout(0.2)
        end, data = time.monotonic() + seconds, b""
        while time.monotonic() < end and MARK.encode() not in data:
            try:
                piece = client.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                break
            data += piece
        return data


def start(world, config, data):
    port = free_port()
    world.run(data, BIN / "kvasir", f"-config.file={config}", f"-server.http-listen-port={port}",
              f"-common.path-prefix={world.folder / data}", "-kvasir.otlp-grpc-listen-port=0")
    url = f"http://127.0.0.1:{port}"
    eventually("kvasir is ready", 20, lambda: fetch(url + "/ready")[0] == 200)
    return url


def main():
    with World() as world:
        path = world.folder / "tenants.yaml"
        path.write_text("server: {http_listen_address: 127.0.0.1}\n" + CONFIG)
        url, control = start(world, path, "data"), start(world, path, "nobody")
        now = time.time_ns()
        fill(url, now)
        evaluated = rf'loki_prometheus_rule_group_iterations_total{{[^}}]*{MARK}[^}}]*}} [1-9]'
        eventually("alice's rule was evaluated", 20, lambda: re.search(evaluated, fetch(url + "/metrics")[1]))
        before = everything_of_alice(url, now)
        assert MARK in str(before[0]) and MARK in str(before[1]) and MARK in str(before[2]), before
        cursor, request_id = cursor_of(url, now), before[2][0][0]
        routes = json.loads(call(url, "GET", "/api/v1/routes", as_user("operator"))[1])["data"]
        assert len(routes) > 60, routes
        reached = {route["pattern"] for route in routes if "GET" in route["methods"] and route["pattern"] not in NOT_OF_TENANTS
                   for path in paths_of(route["pattern"], cursor, request_id, now)
                   if MARK.encode() in call(url, "GET", path, as_user("alice"))[1]}
        assert "/api/v1/ledger" in reached, sorted(reached)
        assert len(reached) > 25, f"alice herself reaches her data on these only: {sorted(reached)}"
        tries = 0
        ways = [as_user("bob"), as_user("bob", "bob"), as_user("bob", "alice"), as_user("bob", "alice|bob"), as_user("bob", "bob|alice"),
                as_user("reader"), {"X-Scope-OrgID": "alice"}, {"X-Scope-OrgID": "bob"}, {}]
        for route in routes:
            if route["pattern"] in NOT_OF_TENANTS:
                continue
            for method in route["methods"] or ["GET", "POST"]:
                if method == "HEAD":
                    continue
                for path in paths_of(route["pattern"], cursor, request_id, now):
                    for headers in ways:
                        status, body = call(url, method, path, headers)
                        if route["pattern"] == "/metrics":  # names rule groups to whoever may scrape, as docs/security.md says
                            body = re.sub(rb'rule_group="[^"]*"', b"", body)
                        if MARK.encode() in body:  # only as an echo of the request: where alice never was the answer is the same
                            empty = call(control, method, path, headers)
                            assert (status, body) == empty and status >= 400, (method, path, headers, status, body[:400], empty)
                        tries += 1
        for headers in ways:
            assert MARK.encode() not in tail_reads(url, headers), headers
        assert MARK.encode() in tail_reads(url, as_user("alice"), ANSWER_SECONDS), "the trial itself works"
        assert everything_of_alice(url, now) == before, "alice has what she had"
        print(f"{tries} requests over {len(routes)} routes")


if __name__ == "__main__":
    main()
