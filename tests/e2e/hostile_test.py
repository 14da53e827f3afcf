#!/usr/bin/env python3
"""Hostile requests and the answer that each gets. After every one the server must still answer, within its memory."""
import gzip
import json
import re
import socket
import struct
import time
import urllib.parse
import zlib

from running import ANSWER_SECONDS, World, fetch

READ_TIMEOUT = 4          # seconds, as configured below
WRITE_TIMEOUT = 5
MEMORY_MAX = 400          # MiB that the whole run may take at most
DECODER_LIMIT = 64        # MiB that a body may unpack to in the second run (a 32nd of the memory limit)
DECODER_MAX = 8 * DECODER_LIMIT  # MiB that one push may take at its peak, whatever it holds (docs/security.md)
CUT = "cut off"           # the connection is closed without an answer
PUSH = "/loki/api/v1/push"
NOW = time.time_ns()


class Target:
    def __init__(self, world, config=""):
        self.program, self.url = world.kvasir(
            config + "limits_config: {max_global_streams_per_user: 1000, ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000}\n", multi_tenant=True,
            server=f", http_server_read_timeout: {READ_TIMEOUT}s, http_server_write_timeout: {WRITE_TIMEOUT}s")
        self.port = int(self.url.rsplit(":", 1)[1])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS)

    def raw(self, *pieces, pause=0.0):
        """What is answered to these bytes: the status as text, or CUT."""
        with self.connect() as line:
            try:
                for piece in pieces:
                    line.sendall(piece)
                    time.sleep(pause)
            except OSError:
                pass  # it may have answered and closed before all was sent
            return status_of(line)

    def request(self, path, body=None, method=None, **headers):
        named = {"X-Scope-OrgID": "t", **{name.replace("_", "-"): value for name, value in headers.items()}}
        method = method or ("GET" if body is None else "POST")
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n" + "".join(f"{name}: {value}\r\n" for name, value in named.items())
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        return self.raw(head.encode("latin-1") + b"\r\n", body or b"")

    def push(self, streams, **headers):
        body = streams if isinstance(streams, bytes) else json.dumps({"streams": streams}).encode()
        return self.request(PUSH, body, **{"Content_Type": "application/json", **headers})

    def query(self, text, path="/loki/api/v1/query_range", **params):
        return self.request(path, urllib.parse.urlencode({"query": text, **params}).encode(), Content_Type="application/x-www-form-urlencoded")

    def otlp(self, body, kind="x-protobuf"):
        return self.request("/otlp/v1/logs", gzip.compress(body, 1), Content_Type=f"application/{kind}", Content_Encoding="gzip")

    def resident(self):
        """(MiB now, MiB at most since the last call)"""
        folder = f"/proc/{self.program.process.pid}"
        status = open(f"{folder}/status").read()
        now, most = (int(re.search(rf"{name}:\s+(\d+)", status).group(1)) // 1024 for name in ("VmRSS", "VmHWM"))
        open(f"{folder}/clear_refs", "w").write("5")
        return now, most

    def memory(self):
        status = open(f"/proc/{self.program.process.pid}/status").read()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) // 1024


def status_of(line):
    try:
        answer = line.recv(65536)
    except OSError:
        return CUT
    found = re.match(rb"HTTP/1\.[01] (\d+)", answer)
    return found.group(1).decode() if found else CUT


def stream(labels, line="x"):
    return {"stream": labels, "values": [[str(NOW), line]]}


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def gzip_bomb(mib):
    """`mib` MiB of zeros, gzipped in one piece of a thousandth of that."""
    packer, out = zlib.compressobj(9, zlib.DEFLATED, 31), []
    for _ in range(mib):
        out.append(packer.compress(bytes(1 << 20)))
    return b"".join(out) + packer.flush()


def repeated(piece, count):
    """Snappy of `piece` (of two to 60 bytes) so many times: one literal, then copies of 60 bytes of what stands before."""
    size = len(piece) * count
    out, left = varint(size) + bytes([(len(piece) - 1) << 2]) + piece, size - len(piece)
    copies, rest = divmod(left, 60)
    out += (bytes([59 << 2 | 2]) + struct.pack("<H", len(piece))) * copies
    return out + (bytes([(rest - 1) << 2 | 2]) + struct.pack("<H", len(piece)) if rest else b"")


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def decoders(target):
    """(what, what was answered): bodies just below what may be unpacked, made to take as much memory as they can."""
    most = (DECODER_LIMIT << 20) - 1000
    packed = lambda body: target.push(gzip.compress(body, 1), Content_Encoding="gzip")
    protobuf = lambda body: target.push(body, Content_Type="application/x-protobuf")
    filled = lambda head, piece, tail: head + piece * ((most - len(head) - len(tail)) // len(piece)) + tail
    yield "JSON: 22 million empty entries", packed(filled(b'{"streams":[{"values":[', b"[],", b"[]]}]}"))
    yield "JSON: 22 million empty streams", packed(filled(b'{"streams":[', b"{},", b"{}]}"))
    yield "JSON: a million small streams", packed(b'{"streams":[' + b",".join(b'{"stream":{"a":"%d"},"values":[["1","x"]]}' % i for i in range(1_000_000)) + b"]}")
    yield "JSON: 33 million brackets", packed(filled(b'{"streams":', b"[", b""))
    yield "JSON: five million labels of a stream", packed(filled(b'{"streams":[{"stream":{', b'"a":"1234",', b'"b":""}}]}'))
    yield "JSON: six million metadata of a line", packed(
        b'{"streams":[{"values":[["1","x",{' + b",".join(b'"%x":""' % i for i in range(5_500_000)) + b"}]]}]}")
    yield "JSON: text that is not UTF-8", packed(filled(b'{"streams":[{"stream":{"a":"b"},"values":[["1","', b"\xff", b'"]]}]}'))
    yield "protobuf: 33 million empty streams", protobuf(repeated(b"\x0a\x00", most // 2))
    inner = (most - 10) // 2
    entries = b"\x0a" + varint(2 * inner) + b"\x12\x00"
    yield "protobuf: 33 million empty entries", protobuf(
        varint(len(entries) - 2 + 2 * inner) + bytes([(len(entries) - 1) << 2]) + entries +
        repeated(b"\x12\x00", inner)[len(varint(2 * inner)) + 3:])
    attribute = field(1, field(1, b"k") + field(2, field(1, b"v")))
    yield "OTLP: 100,000 attributes that a million records repeat", target.otlp(field(1, field(1, attribute * 100_000) + field(2, b"\x12\x00" * 1_000_000)))
    yield "OTLP: 33 million empty scopes", target.otlp(field(1, b"\x12\x00" * (most // 2)))
    yield "OTLP: 33 million empty records", target.otlp(field(1, field(2, b"\x12\x00" * (most // 2))))
    yield "OTLP: 33 million empty values of an array", target.otlp(field(1, field(2, field(2, field(5, field(5, b"\x0a\x00" * (most // 2 - 100)))))))
    names = field(6, field(1, field(1, b"n" * 1_000_000) + field(2, field(6, attribute * 1_000_000))))
    yield "OTLP: a map of a million names behind one of 1 MB", target.otlp(field(1, field(2, field(2, field(6, field(1, b"a") + field(2, names))))))
    yield "OTLP: a body of brackets as JSON", target.otlp(filled(b'{"resourceLogs":', b"[", b""), "json")
    yield "OTLP: a body of numbers as JSON", target.otlp(filled(b'{"resourceLogs":[', b"1,", b"1]}"), "json")
    yield "OTLP: five million empty records as JSON", target.otlp(
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + b"{}," * 5_000_000 + b"{}]}]}]}", "json")


def decode():
    """Each decoder at its worst, measured by itself."""
    failures = []
    with World() as world:
        target = Target(world, "kvasir: {memory_limit: 2GB}\n")
        assert target.push([stream({"a": "b"})]) == "204"
        before, _ = target.resident()
        for what, got in decoders(target):
            after, most = target.resident()
            good = got in ("400", "413", "422", "429") and most - before < DECODER_MAX and fetch(target.url + "/ready")[0] == 200
            print(f"| {what} | {got} | {most - before} |" + ("" if good else " <- wrong"), flush=True)
            if not good:
                failures.append(what)
            before = after
        assert not failures, failures


def zstd_bomb():
    """A frame that promises 64 GiB and holds blocks of one repeated byte."""
    header = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 64 << 30)
    rle = struct.pack("<I", (131072 << 3) | 2)[:3] + b"x"
    return header + rle * 20000


def slow(target, head, piece, seconds=ANSWER_SECONDS):
    """Sends a byte now and then until the server has enough; what it answers."""
    began = time.monotonic()
    with target.connect() as line:
        line.sendall(head)
        line.settimeout(0.5)
        while time.monotonic() - began < seconds:
            try:
                line.sendall(piece)
                answer = line.recv(4096)
                found = re.match(rb"HTTP/1\.[01] (\d+)", answer)
                return found.group(1).decode() if found else CUT
            except TimeoutError:
                continue
            except OSError:
                return CUT
    return f"still open after {seconds} s"


def idle_flood(target):
    """Many silent connections: others are served meanwhile, and they are closed."""
    lines = [target.connect() for _ in range(500)]
    for line in lines:
        line.sendall(b"GET /ready HTTP/1.1\r\n")
    assert fetch(target.url + "/ready")[0] == 200
    open_still, end = 0, time.monotonic() + ANSWER_SECONDS
    for line in lines:
        line.settimeout(max(0.05, end - time.monotonic()))
        try:
            while line.recv(4096):
                pass
        except TimeoutError:
            open_still += 1
        except OSError:
            pass
        line.close()
    return "all closed" if open_still == 0 else f"{open_still} still open"


def unread_answers(target):
    """Requests by the thousand on one connection whose answers nobody reads."""
    with target.connect() as line:
        line.settimeout(2 * WRITE_TIMEOUT)
        try:
            for _ in range(2000):
                line.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        except TimeoutError:
            return CUT  # it takes no more: held back
        except OSError:
            return CUT
        time.sleep(2 * WRITE_TIMEOUT)
        line.settimeout(WRITE_TIMEOUT)
        try:
            while line.recv(1 << 20):
                pass
        except TimeoutError:
            return "still open"
        except OSError:
            pass
        return CUT


def websocket_frame(target, frame):
    """What the tail does with this frame of a client: the close code."""
    with target.connect() as line:
        line.sendall(b"GET /loki/api/v1/tail?query=%7Ba%3D%22b%22%7D HTTP/1.1\r\nHost: x\r\nX-Scope-OrgID: t\r\nConnection: Upgrade\r\n"
                     b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        assert status_of(line) == "101"
        try:
            line.sendall(frame)
            data = b""
            while (piece := line.recv(4096)):
                data += piece
        except TimeoutError:
            return "still open"
        except OSError:
            return CUT
        return CUT if b"\x88" not in data else "close " + str(struct.unpack(">H", data[data.index(b"\x88") + 2:][:2])[0])


def deep(n):
    return "(" * n + 'sum(rate({a="b"}[1m]))' + ")" * n


def table(target):
    """(what, what was answered, what is right)"""
    assert target.push([stream({"a": "b"})]) == "204"  # something for queries to read
    many = {f"l{i}": "v" for i in range(100_000)}
    get = "GET /ready HTTP/1.1\r\nHost: x\r\n"
    big = b'{"streams":[' + b" " * (200 << 20) + b"]}"
    snappy_lie = varint(4 << 30) + b"\xfe" + b"x" * 100
    yield "gzip bomb, 1 GiB in 1 MiB", target.push(gzip_bomb(1024), Content_Encoding="gzip"), ("413", "400")
    yield "gzip in gzip bomb", target.push(gzip.compress(gzip_bomb(256)), Content_Encoding="gzip, gzip"), ("400", "413", "415")
    yield "zstd bomb that promises 64 GiB", target.push(zstd_bomb(), Content_Encoding="zstd"), ("413", "400")
    yield "snappy that promises 4 GiB", target.push(snappy_lie, Content_Type="application/x-protobuf"), ("400", "413")
    yield "protobuf of noise", target.push(b"\x10" + bytes(range(256)), Content_Type="application/x-protobuf"), "400"
    yield "200 MiB of body", target.push(big), "413"
    yield "JSON 100,000 levels deep", target.push(b'{"streams":' + b"[" * 100_000), "400"
    yield "100,000 labels on one stream", target.push([stream(many)]), "400"
    yield "a label value of 1 MiB", target.push([stream({"a": "x" * (1 << 20)})]), "400"
    yield "100,000 streams at once", target.push([stream({"a": str(i)}) for i in range(100_000)]), "429"
    yield "100,000 structured metadata on one line", target.push(
        [{"stream": {"a": "b"}, "values": [[str(NOW), "x", many]]}]), "400"
    yield "a line of 300 KiB over its limit", target.push([stream({"a": "b"}, "x" * 300_000)]), ("400", "204")
    yield "a timestamp before the first year", target.push([{"stream": {"a": "b"}, "values": [["-99999999999999999999", "x"]]}]), "400"
    yield "slow headers", slow(target, b"GET /ready HTTP/1.1\r\nX: ", b"a"), ("408", CUT)
    yield "slow body", slow(target, f"POST {PUSH} HTTP/1.1\r\nHost: x\r\nX-Scope-OrgID: t\r\nContent-Length: 1000\r\n\r\n".encode(), b" "), ("408", CUT)
    yield "500 connections that say nothing", idle_flood(target), "all closed"
    yield "2,000 requests whose answers nobody reads", unread_answers(target), CUT
    yield "100,000 headers", target.raw((get + "".join(f"h{i}: v\r\n" for i in range(100_000)) + "\r\n").encode()), "431"
    yield "a header of 1 MiB", target.raw((get + "X: " + "a" * (1 << 20) + "\r\n\r\n").encode()), "431"
    yield "a request line of 1 MiB", target.raw(b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: x\r\n\r\n"), ("414", "431", "400")
    yield "a body length below zero", target.raw(f"POST {PUSH} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".encode()), "400"
    yield "two body lengths", target.raw(f"POST {PUSH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".encode()), "400"
    yield "length and chunks (smuggling)", target.raw(
        f"POST {PUSH} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()), "400"
    yield "a chunk size of 2^64", target.raw(
        f"POST {PUSH} HTTP/1.1\r\nHost: x\r\nX-Scope-OrgID: t\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nx".encode()), "400"
    yield "a header name with a space", target.raw((get + "X-Scope-OrgID : t\r\n\r\n").encode()), "400"
    yield "a NUL in a header", target.raw((get + "X: a\0b\r\n\r\n").encode()), "400"
    yield "HTTP/2 without asking", target.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ("400", CUT)
    yield "TLS on the plain port", target.raw(bytes.fromhex("16030100a5010000a10303") + bytes(160)), ("400", CUT)
    for path in ("/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/loki/../../etc/passwd", "//etc/passwd", "/loki/api/v1/%00", "/%"):
        yield f"path {path}", target.request(path), ("400", "404")
    group = b"name: g\nrules: []\n"
    for name in ("..", "..%2f..%2fx", "%2e%2e", "%2fetc%2fcron.d%2fx", "a%00b", ".hidden"):
        yield f"rule namespace {name}", target.request(f"/loki/api/v1/rules/{name}", group), ("400", "404")
    for tenant in ("../other", "a/b", ".", "..", "a" * 151, "a b", "a\tb", "\xe4", "a,b", "a|../b"):
        yield f"tenant {tenant[:12]!r}", target.request("/loki/api/v1/labels", X_Scope_OrgID=tenant), "400"
    yield "no tenant", target.request("/loki/api/v1/labels", X_Scope_OrgID=""), "401"
    yield "two tenants on push", target.push([stream({"a": "b"})], X_Scope_OrgID="a|b"), "400"
    yield "a query 100,000 brackets deep", target.query(deep(100_000)), "400"
    yield "a query of 5 MiB", target.query('{a="' + "x" * (5 << 20) + '"}'), ("400", "413")
    yield "a regex of 10^9 states", target.query('{a="b"} |~ "((a{1000}){1000}){1000}"'), "400"
    yield "a regex that backtracks elsewhere", target.query('{a="b"} |~ "(a*)*(a*)*(a*)*b"'), "200"
    yield "ten thousand matchers", target.query("{" + ",".join(f'a{i}="b"' for i in range(10_000)) + "}"), ("400", "200")
    yield "a step of a millisecond over a year", target.query('sum(rate({a="b"}[1m]))', start=0, end=31_536_000, step="0.001"), "400"
    yield "a limit of 2^64", target.query('{a="b"}', limit=2**64), "400"
    yield "times that are none", target.query('{a="b"}', start="NaN", end="1e400"), "400"
    yield "a template that makes 1 GB", target.query('{a="b"} | line_format "{{ repeat 1000000000 \\"x\\" }}"'), ("400", "200")
    yield "a WebSocket message of 16 MiB", websocket_frame(target, b"\x82\xff" + struct.pack(">Q", 16 << 20) + b"\0" * 1000), ("close 1009", CUT)
    yield "a WebSocket frame without a mask", websocket_frame(target, b"\x81\x02hi"), ("close 1002", CUT)
    yield "a WebSocket frame of reserved kind", websocket_frame(target, b"\x87\x80\0\0\0\0"), ("close 1002", CUT)


def main():
    failures, peak = [], 0
    with World() as world:
        target = Target(world)
        for what, got, right in table(target):
            peak, before = target.memory(), peak
            good = got in (right if isinstance(right, tuple) else (right,))
            alive = fetch(target.url + "/ready")[0] == 200
            print(f"| {what} | {got} | {peak - before if before else peak} |" + ("" if good and alive else f" <- should be {right}, alive: {alive}"), flush=True)
            if not good or not alive:
                failures.append(what)
        outside = [path for path in world.folder.rglob("*") if "cron" in path.name or path.name in ("x", "passwd")]
        assert not outside, outside
        peak = target.memory()
        print(f"peak memory of the server: {peak} MiB")
        assert not failures, failures
        assert peak < MEMORY_MAX, peak
    decode()
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
