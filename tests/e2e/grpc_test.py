#!/usr/bin/env python3
"""OTLP over gRPC as strangers use and abuse it: TLS and client certificates with the OpenTelemetry SDK, and HTTP/2 that a hostile client
makes by hand; grpc_test.py tls | mtls | partial | hostile."""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from certificates import Authority
from clients_test import CLIENTS, OTEL, check_otlp, run
from packages import python_with
from running import ANSWER_SECONDS, BIN, World, eventually, fetch, free_port, run_part

MEMORY_MAX = 300          # MiB that hostile connections may take together
CALL_SECONDS = 3


def secured(world, authority, client_auth):
    """(url of /ready over plain HTTP is not to be had) the gRPC port and the HTTPS URL of a server with TLS."""
    cert, key = authority.issue("server")
    port, grpc_port = free_port(), free_port()
    config = world.folder / "tls.yaml"
    config.write_text(f"""auth_enabled: false
server:
  http_listen_address: 127.0.0.1
  http_tls_config: {{cert_file: {cert}, key_file: {key}, client_ca_file: {authority.cert}, client_auth_type: {client_auth}}}
kvasir: {{otlp_grpc_listen_port: {grpc_port}}}
""")
    kvasir = world.run("kvasir", BIN / "kvasir", f"-config.file={config}", f"-server.http-listen-port={port}",
                       f"-common.path-prefix={world.folder / 'data'}")
    eventually("kvasir listens for gRPC", 20, lambda: socket.create_connection(("127.0.0.1", grpc_port), 2).close() or True)
    return kvasir, grpc_port, f"https://127.0.0.1:{port}"


def exporter(python, port, **environment):
    """Runs the SDK against https://; its certificates come from the environment, as users set them."""
    done = subprocess.run([python, CLIENTS / "otlp.py", "grpcs", f"https://127.0.0.1:{port}"], capture_output=True, text=True, timeout=300,
                          env={**os.environ, **{name: str(value) for name, value in environment.items()}})
    return done.stdout, done.stderr


def lines_over(url, *curl):
    command = ["curl", "-sS", *map(str, curl), "-G", url + "/loki/api/v1/query_range", "--data-urlencode", 'query={service_name="shop"}']
    answer = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    return sum(len(stream["values"]) for stream in answer["data"]["result"])


def tls():
    """The SDK logs over TLS; one that does not know the authority gets nothing through."""
    python = python_with(*OTEL) / "python"
    with World() as world:
        authority, stranger = Authority(world.folder), Authority(world.folder, "stranger")
        _, port, url = secured(world, authority, "NoClientCert")
        exporter(python, port, OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE=stranger.cert, OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=2)
        assert lines_over(url, "--cacert", authority.cert) == 0, "a client that does not trust the server"
        exporter(python, port, OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE=authority.cert)
        eventually("the lines are there", 20, lambda: lines_over(url, "--cacert", authority.cert) == 3)


def mtls():
    """With RequireAndVerifyClientCert only a client whose certificate the authority signed is heard."""
    python = python_with(*OTEL) / "python"
    with World() as world:
        authority, stranger = Authority(world.folder), Authority(world.folder, "stranger")
        client, client_key = authority.issue("client", "shipper")
        foreign, foreign_key = stranger.issue("foreign", "shipper")
        _, port, url = secured(world, authority, "RequireAndVerifyClientCert")
        known = ("--cacert", authority.cert, "--cert", client, "--key", client_key)
        trust = {"OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": authority.cert}
        exporter(python, port, **trust, OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=2)
        exporter(python, port, **trust, OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=2, OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE=foreign, OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY=foreign_key)
        assert lines_over(url, *known) == 0, "no certificate, and a stranger's"
        exporter(python, port, **trust, OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE=client, OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY=client_key)
        eventually("the lines are there", 20, lambda: lines_over(url, *known) == 3)


def partial():
    """Records that are refused beside good ones come back as OTLP's partial success; who asks gets a verdict for each."""
    python = python_with(*OTEL) / "python"
    with World() as world:
        grpc_port = free_port()
        world.kvasir(f"kvasir: {{otlp_grpc_listen_port: {grpc_port}}}\n")
        send = lambda ask, *times: json.loads(run(python, CLIENTS / "otlp_verdicts.py", f"127.0.0.1:{grpc_port}", ask, *map(str, times)))
        now = time.time_ns()
        answer = send("no", now, 1000, now + 1)
        assert answer["rejected"] == 1 and "has timestamp too old" in answer["message"] and answer["verdicts"] is None, answer
        assert send("no", now) == {"rejected": 0, "message": "", "verdicts": None}
        answer = send("no", 1000)
        assert answer["code"] == "INVALID_ARGUMENT" and "has timestamp too old" in answer["details"], answer
        verdicts = send("yes", now, 1000, now + 5)["verdicts"]
        assert (verdicts["accepted"], verdicts["repeated"], verdicts["refused"]) == (1, 1, 1), verdicts
        assert [(v["record"], v["reason"]) for v in verdicts["verdicts"]] == [(1, "greater_than_max_sample_age"), (0, "repeated")], verdicts
        answer = send("yes", 1000, 2000)
        assert answer["rejected"] == 2 and answer["verdicts"]["refused"] == 2, answer


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST, SETTINGS, PING, WINDOW, CONTINUATION, DATA = 1, 3, 4, 6, 8, 9, 0
EXPORT = b"/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


CALL = b"\x83\x86" + literal(b":path", EXPORT) + literal(b":authority", b"x") + literal(b"te", b"trailers") + \
       literal(b"content-type", b"application/grpc")


def talk(port, *pieces, seconds, until=None):
    """(bytes that came, whether the server closed) for frames that are sent without waiting for any answer; ends with the bytes `until`."""
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as line:
        got, closed = b"", False
        try:
            line.sendall(PREFACE + frame(SETTINGS, 0, 0))
            for piece in pieces:
                line.sendall(piece)
        except OSError:
            closed = True  # cut off while we were still sending
        line.settimeout(0.2)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not closed and not (until and until in got):
            try:
                data = line.recv(65536)
                closed = not data
                got += data
            except TimeoutError:
                pass
            except OSError:
                closed = True
        return got, closed


ANSWERED = ("a message that promises 4 GiB", "a call that never ends")
END_OF_STREAM = frame(HEADERS, 5, 1)[3:]


def hostile():
    """What each gets stands in docs/security.md; after each the server still takes a good call, within its memory."""
    python = python_with(*OTEL) / "python"
    with World() as world:
        port = free_port()
        program, url = world.kvasir(f"kvasir: {{otlp_grpc_listen_port: {port}}}\n", server=f", http_server_read_timeout: {CALL_SECONDS}s")

        def memory():
            return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{program.process.pid}/status").read_text()).group(1)) // 1024

        before = memory()
        message = b"\0" + struct.pack(">I", 8) + b"\x0a\x06\x12\x04\x12\x02\x5a\x00"
        endless = frame(HEADERS, 0, 1, CALL) + frame(CONTINUATION, 0, 1, literal(b"a", b"b" * 100) * 150) * 400
        trials = [  # name, frames, the connection must be closed
            ("rapid reset", b"".join(frame(HEADERS, 4, 2 * i + 1, CALL) + frame(RST, 0, 2 * i + 1, struct.pack(">I", 8)) for i in range(20000)), True),
            ("a header list without an end", endless, True),
            ("20,000 pings", frame(PING, 0, 0, b"12345678") * 20000, None),
            ("20,000 settings", frame(SETTINGS, 0, 0) * 20000, None),
            ("a window beyond 2^31", frame(WINDOW, 0, 0, struct.pack(">I", 0x7FFFFFFF)) * 2, True),
            ("a window of nothing, 30 calls", frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) +
             b"".join(frame(HEADERS, 4, 2 * i + 1, CALL) + frame(DATA, 1, 2 * i + 1, message) for i in range(30)), None),
            ("window updates of nothing", frame(HEADERS, 4, 1, CALL) + frame(WINDOW, 0, 1, struct.pack(">I", 0)), None),
            ("10,000 calls at one time", b"".join(frame(HEADERS, 4, 2 * i + 1, CALL) for i in range(10000)), None),
            ("a message that promises 4 GiB", frame(HEADERS, 4, 1, CALL) + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff" + b"x" * 1000), None),
            ("a header bomb out of the dynamic table", frame(HEADERS, 4, 1, CALL + b"\x40\x01a\x7f\x81\x1e" + b"b" * 4000 + b"\xbe" * 10000), None),
            ("a frame larger than allowed", frame(DATA, 0, 1, b"x" * 20000), True),
            ("a stream number that goes back", frame(HEADERS, 4, 5, CALL) + frame(HEADERS, 4, 3, CALL), True),
            ("a call that never ends", frame(HEADERS, 4, 1, CALL) + frame(DATA, 0, 1, message[:6]), None),
            ("HTTP/1.1 on the port", None, True),
        ]
        for name, frames, must_close in trials:
            if frames is None:
                with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as line:
                    line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    data = line.recv(65536)
                    while data and len(data) < 10000:
                        more = line.recv(65536)
                        data, closed = (data + more, False) if more else (data, True)
                        if closed:
                            break
                    got, closed = data, closed
            else:
                got, closed = talk(port, frames, seconds=ANSWER_SECONDS if must_close or name in ANSWERED else 2,
                                   until=END_OF_STREAM if name in ANSWERED else None)
            print(f"{name}: {'closed' if closed else 'open'}, {len(got)} bytes, {memory()} MiB at most")
            assert must_close is None or closed == must_close, (name, got[-200:])
            if name in ANSWERED:  # by headers that end the stream
                assert closed or END_OF_STREAM in got, (name, got)
            assert fetch(url + "/ready")[0] == 200, name
        assert memory() - before < MEMORY_MAX, (before, memory())
        check_otlp(url, run(python, CLIENTS / "otlp.py", "grpc", f"http://127.0.0.1:{port}"))


if __name__ == "__main__":
    run_part((tls, mtls, partial, hostile))
