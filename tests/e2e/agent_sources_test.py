#!/usr/bin/env python3
"""Sources of kvasir-agent against stand-ins for what they talk to; the entries are read from -dry-run.

    tests/e2e/agent_sources_test.py [docker|gelf|http_sd|journal|kubernetes|kubernetes_again|oddities|push|ready|syslog_tls]
"""
import gzip
import http.server
import json
import os
import re
import signal
import socket
import socketserver
import ssl
import struct
import sys
import tempfile
import threading
import time
import urllib.parse
import zlib
from pathlib import Path

from certificates import Authority
from running import ANSWER_SECONDS, BIN, Program, eventually, fetch, free_port

POD = {"metadata": {"name": "api-5f7-x", "namespace": "shop", "uid": "u1", "labels": {"app": "api", "pod-template-hash": "5f7"}},
       "spec": {"nodeName": "n1", "containers": [{"name": "main", "ports": [{"containerPort": 8080}]}]},
       "status": {"podIP": "10.1.2.3"}}
JOURNAL_ENTRIES = 4  # of data/node.journal.gz that have a message


class Agent:
    """kvasir-agent -dry-run with one scrape config."""

    def __init__(self, folder, scrape, url="http://127.0.0.1:1/loki/api/v1/push", flags=("-dry-run",), more=None):
        self.port = free_port()
        config = folder / "agent.yaml"
        config.write_text(json.dumps({
            "server": {"http_listen_port": self.port, "http_listen_address": "127.0.0.1"},
            "positions": {"filename": str(folder / "positions.yaml"), "sync_period": "200ms"},
            "target_config": {"sync_period": "1s"},
            "clients": [{"url": url, "batchwait": "100ms"}],
            "scrape_configs": [scrape], **(more or {})}))
        self.program = Program("agent", folder, [BIN / "kvasir-agent", f"-config.file={config}", *flags])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.stop()

    def lines(self):
        """`labels TAB line` of every entry."""
        text = self.program.log.read_text(errors="replace")
        return [line.split("\t", 1)[1] for line in text.splitlines() if "\t{" in line]

    def wait_for(self, *parts):
        return eventually(" and ".join(parts), 20,
                          lambda: next((x for x in self.lines() if all(part in x for part in parts)), None))

    def metric(self, name):
        """The sum over its series; None if it has none."""
        text = fetch(f"http://127.0.0.1:{self.port}/metrics")[1]
        values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(name + r"[{ ]", line)]
        return sum(values) if values else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, kind="application/json", status=200):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


def ready(folder):
    """Who is told that the agent is ready finds every source listening."""
    ports = [free_port() for _ in range(200)]
    kinds = ("syslog", "gelf")
    scrapes = [{"job_name": f"{i}", kinds[i % 2]: {"listen_address": f"127.0.0.1:{port}", "labels": {"job": f"{i}"}}} for i, port in enumerate(ports)]
    with Agent(folder, scrapes[0], more={"scrape_configs": scrapes}) as agent:
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            try:
                if fetch(f"http://127.0.0.1:{agent.port}/ready")[0] == 200:
                    break
            except OSError:
                pass
        socket.create_connection(("127.0.0.1", ports[-2]), 60).close()
        with socket.socket(type=socket.SOCK_DGRAM) as out:
            out.connect(("127.0.0.1", ports[-1]))
            out.send(b"{}")
            time.sleep(0.1)
            out.send(b"{}")  # refused if nobody took the first


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def docker(folder):
    """Containers over the socket: labels of network and port, both streams, joined parts, also beyond 256 KiB."""
    since = []

    def frame(stream, text):
        return struct.pack(">BxxxI", stream, len(text)) + text

    class Engine(Handler):
        def do_GET(self):
            path = urllib.parse.urlparse(self.path)
            if path.path == "/containers/json":
                return self.answer([{"Id": "abc", "Names": ["/web"], "Labels": {"com.team": "shop"},
                                     "NetworkSettings": {"Networks": {"bridge": {"NetworkID": "n1", "IPAddress": "172.17.0.2"}}},
                                     "Ports": [{"PrivatePort": 80, "Type": "tcp"}]}])
            if path.path == "/containers/abc/json":
                return self.answer({"Config": {"Tty": False}})
            if path.path == "/networks":
                return self.answer([{"Name": "bridge", "Id": "n1", "Scope": "local", "Internal": False, "Ingress": False}])
            since.append(urllib.parse.parse_qs(path.query)["since"][0])
            self.begin_stream()
            self.piece(frame(1, b"2026-01-02T03:04:05.000000001Z out\n") + frame(2, b"2026-01-02T03:04:05.000000002Z err\n"))
            self.piece(frame(1, b"2026-01-02T03:04:05.000000003Z one ") + frame(1, b"2026-01-02T03:04:05.000000003Z line\n"))
            for _ in range(20):
                self.piece(frame(1, b"2026-01-02T03:04:05.000000004Z " + 16384 * b"x"))
            self.piece(frame(1, b"2026-01-02T03:04:05.000000004Z end\n"))
            time.sleep(60)

    path = str(folder / "docker.sock")

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

        def get_request(self):
            return super().get_request()[0], ("docker", 0)

    serve(Server(path, Engine))
    scrape = {"job_name": "d", "docker_sd_configs": [{"host": f"unix://{path}", "refresh_interval": "1s"}],
              "relabel_configs": [{"source_labels": ["__meta_docker_container_name"], "regex": "/(.*)", "target_label": "container"},
                                  {"source_labels": ["__meta_docker_container_log_stream"], "target_label": "stream"},
                                  {"source_labels": ["__meta_docker_network_name"], "target_label": "network"},
                                  {"source_labels": ["__meta_docker_network_scope", "__address__"], "target_label": "at"},
                                  {"regex": "__meta_docker_container_label_(.+)", "action": "labelmap"}]}
    with Agent(folder, scrape, more={"limits_config": {"max_line_size": "1MB"}}) as agent:
        agent.wait_for('com_team="shop"', 'container="web"', 'network="bridge"', 'stream="stdout"', 'at="local;172.17.0.2:80"', "\tout")
        agent.wait_for('stream="stderr"', "\terr")
        agent.wait_for('stream="stdout"', "\tone line")
        agent.wait_for('stream="stdout"', "\t" + 20 * 16384 * "x" + "end")
    assert since[0] == "0.000000000", since


def gelf(folder):
    """Plain, compressed and chunked datagrams."""
    port = free_port()
    scrape = {"job_name": "g", "gelf": {"listen_address": f"127.0.0.1:{port}", "labels": {"job": "gelf"}, "use_incoming_timestamp": True},
              "relabel_configs": [{"source_labels": ["__gelf_message_level"], "target_label": "level"},
                                  {"source_labels": ["__gelf_message_host"], "target_label": "host"}]}

    def message(text):
        return json.dumps({"version": "1.1", "host": "h", "short_message": text, "level": 3, "timestamp": 1700000000.5}).encode()

    with Agent(folder, scrape) as agent:
        eventually("the agent", 20, lambda: fetch(f"http://127.0.0.1:{agent.port}/ready")[0] == 200)
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for datagram in (message("plain"), gzip.compress(message("gzip")), zlib.compress(message("zlib"))):
            out.sendto(datagram, ("127.0.0.1", port))
        chunked = message("chunked")
        for number, part in reversed(list(enumerate((chunked[:20], chunked[20:])))):
            out.sendto(b"\x1e\x0f" + b"ABCDEFGH" + bytes([number, 2]) + part, ("127.0.0.1", port))
        out.sendto(b"no gelf", ("127.0.0.1", port))
        for text in ("plain", "gzip", "zlib", "chunked"):
            agent.wait_for('host="h"', 'job="gelf"', 'level="error"', f'"short_message": "{text}"')
        eventually("the broken one is counted", 20, lambda: agent.metric("promtail_gelf_target_parsing_errors_total") == 1)


def http_sd(folder):
    """Targets from an address; after an error the last ones stay."""
    good = [{"targets": ["x"], "labels": {"job": "sd", "__path__": str(folder / "sd-*.log")}}]
    answers = [good]

    class Discovery(Handler):
        def do_GET(self):
            self.answer(answers[0])

    server = serve(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Discovery))
    (folder / "sd-a.log").write_text("first\n")
    url = f"http://127.0.0.1:{server.server_address[1]}/targets"
    with Agent(folder, {"job_name": "h", "http_sd_configs": [{"url": url, "refresh_interval": "1s"}]}) as agent:
        agent.wait_for('job="sd"', "\tfirst")
        answers[0] = {"not": "a list"}
        time.sleep(2)
        with open(folder / "sd-a.log", "a") as log:
            log.write("second\n")
        agent.wait_for('job="sd"', "\tsecond")


class DiscardingSink(Handler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()


def oddities(folder):
    """A line that is too long, a hole, and a packed file in a job without `decompression`: counted, and told once."""
    sink = serve(http.server.ThreadingHTTPServer(("127.0.0.1", 0), DiscardingSink))
    logs = folder / "logs"
    logs.mkdir()
    (logs / "long.log").write_text("short\n" + "x" * 200_000 + "\nlast\n")
    (logs / "hole.log").write_bytes(b"\0" * 1000 + b"after\n")
    (logs / "packed.log").write_bytes(gzip.compress(b"line\n" * 100))
    size = sum(path.stat().st_size for path in logs.iterdir())
    scrape = {"job_name": "o", "static_configs": [{"labels": {"job": "o", "__path__": f"{logs}/*.log"}}],
              "file": {"max_line_bytes": "64KB", "on_overlong": "drop", "partial_flush_timeout": "200ms"}}
    with Agent(folder, scrape, f"http://127.0.0.1:{sink.server_address[1]}/loki/api/v1/push", ()) as agent:
        eventually("everything is settled", 20, lambda: agent.metric("promtail_acked_bytes") == size)
        assert agent.metric('promtail_dropped_entries_total.*reason="line_too_long".*') == 1
        assert agent.metric('promtail_dropped_bytes_total.*reason="line_too_long".*') >= 200_000
        assert agent.metric("promtail_overlong_lines_total") == 1
        assert agent.metric("promtail_skipped_nul_bytes_total") == 1000
        assert agent.metric("promtail_compressed_files_as_lines_total") == 1
        eventually("nothing waits", 20, lambda: agent.metric("promtail_queue_oldest_seconds") == 0)
        told = [line for line in agent.program.log.read_text().splitlines() if "read as lines" in line]
        assert len(told) == 1 and "packed.log" in told[0] and "decompression" in told[0], told


def journal(folder):
    """No entry is sent twice: not over a stop, and not over a kill once its position was saved."""
    sink = serve(http.server.ThreadingHTTPServer(("127.0.0.1", 0), DiscardingSink))
    url = f"http://127.0.0.1:{sink.server_address[1]}/loki/api/v1/push"
    (folder / "journal").mkdir()
    data = Path(__file__).parent / "data/node.journal.gz"
    (folder / "journal/node.journal").write_bytes(gzip.decompress(data.read_bytes()))
    scrape = {"job_name": "j", "journal": {"path": str(folder / "journal"), "max_age": "480000h", "labels": {"job": "journal"}}}
    with Agent(folder, scrape, url, ()) as agent:
        eventually("all of them sent", 20, lambda: agent.metric("promtail_sent_entries_total") == JOURNAL_ENTRIES)
        eventually("the position", 20, lambda: "cursor-j:" in (folder / "positions.yaml").read_text())
        time.sleep(1)
    for how in (signal.SIGKILL, signal.SIGTERM):
        with Agent(folder, scrape, url, ()) as agent:
            eventually("the journal is read", 20, lambda: agent.metric("promtail_journal_target_lines_total") is not None)
            time.sleep(2)
            again = agent.metric("promtail_journal_target_lines_total")
            assert again == 0, f"{again} of {JOURNAL_ENTRIES} entries were read again"
            agent.program.stop(how)


def kubernetes(folder):
    """Endpoint slices that borrow from pods and services (told late), beside a namespace that may not be read; a bookmark, then 410 Gone:
    the list is fetched again."""
    lists = {"endpointslices": 0}
    versions = []
    slice_of = {"metadata": {"name": "api-abc", "namespace": "shop", "labels": {"kubernetes.io/service-name": "api"}},
                "addressType": "IPv4", "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "api-5f7-x"}}]}
    service = {"metadata": {"name": "api", "namespace": "shop", "labels": {"team": "red"}}, "spec": {"ports": [{"port": 80}]}}

    class Api(Handler):
        def do_GET(self):
            url = urllib.parse.urlparse(self.path)
            query = urllib.parse.parse_qs(url.query)
            kind = url.path.rsplit("/", 1)[1]
            if "/namespaces/secret/" in url.path:
                return self.answer({"code": 403, "message": "forbidden"}, status=403)
            if "watch" not in query:
                if kind == "endpointslices":
                    assert url.path == "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", url.path
                    lists[kind] += 1
                if kind == "services":
                    time.sleep(2)
                items = {"endpointslices": slice_of, "pods": POD, "services": service}
                return self.answer({"metadata": {"resourceVersion": "5"}, "items": [items[kind]]})
            self.begin_stream()
            if kind != "endpointslices":
                return time.sleep(60)
            versions.append(query["resourceVersion"][0])
            if len(versions) == 1:
                self.piece(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n')
            elif len(versions) == 2:
                self.piece(b'{"type":"ERROR","object":{"code":410,"message":"too old resource version"}}\n')
            else:
                time.sleep(60)
            self.piece(b"")
            self.close_connection = True

    server = serve(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api))
    pods = folder / "pods" / "shop_api-5f7-x_u1" / "main"
    pods.mkdir(parents=True)
    (pods / "0.log").write_text("hello\n")
    scrape = {"job_name": "k",
              "kubernetes_sd_configs": [{"role": "endpointslice", "api_server": f"http://127.0.0.1:{server.server_address[1]}",
                                         "namespaces": {"names": ["secret", "shop"]}}],
              "relabel_configs": [{"source_labels": ["__meta_kubernetes_service_label_team"], "target_label": "team"},
                                  {"source_labels": ["__meta_kubernetes_pod_label_app"], "target_label": "app"},
                                  {"source_labels": ["__meta_kubernetes_endpointslice_name"], "target_label": "slice"},
                                  {"source_labels": ["__meta_kubernetes_pod_uid", "__meta_kubernetes_pod_container_name"], "separator": "/",
                                   "regex": "(.+)/(.+)", "target_label": "__path__", "replacement": f"{folder}/pods/*$1/$2/*.log"}]}
    with Agent(folder, scrape) as agent:
        agent.wait_for('app="api"', 'slice="api-abc"', 'team="red"', "\thello")
        eventually("a new list after 410", 20, lambda: lists["endpointslices"] == 2 and len(versions) == 3)
    assert versions[:2] == ["5", "9"], versions


def kubernetes_again(folder):
    """A token that is replaced, watches that somebody ends at once, a restart of the API server: new pods are found after each."""
    token_file = folder / "token"
    token_file.write_text("one")
    valid, pods, watched, refused = ["one"], [], [], []

    def add_pod(name):
        (folder / f"{name}.log").write_text(f"line of {name}\n")
        pods.append({**POD, "metadata": {"name": name, "namespace": "shop", "uid": name}})

    class Api(Handler):
        def do_GET(self):
            self.close_connection = True
            if self.headers["Authorization"] != f"Bearer {valid[0]}":
                refused.append(self.headers["Authorization"])
                return self.answer({"code": 401}, status=401)
            if "watch=true" not in self.path:
                return self.answer({"metadata": {"resourceVersion": "5"}, "items": pods})
            watched.append(time.monotonic())
            self.begin_stream()
            if pods[-1]["metadata"]["name"] != "first" and len(watched) < 8:
                self.piece(json.dumps({"type": "ADDED", "object": pods[-1]}).encode() + b"\n")
            self.piece(b"")

    server = serve(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api))
    address = server.server_address
    add_pod("first")
    scrape = {"job_name": "k",
              "kubernetes_sd_configs": [{"role": "pod", "api_server": f"http://127.0.0.1:{address[1]}", "bearer_token_file": str(token_file)}],
              "relabel_configs": [{"source_labels": ["__meta_kubernetes_pod_uid"], "target_label": "__path__", "replacement": f"{folder}/$1.log"},
                                  {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"}]}
    with Agent(folder, scrape) as agent:
        agent.wait_for('pod="first"', "line of first")
        eventually("three watches", 20, lambda: len(watched) >= 3)
        pauses = [b - a for a, b in zip(watched, watched[1:])]
        assert min(pauses) > 1, f"watches that end at once are asked for again after {min(pauses):.3f} s"
        valid[0] = "two"
        eventually("the old token is refused", 20, lambda: refused)
        add_pod("second")
        token_file.write_text("two\n")
        agent.wait_for('pod="second"', "line of second")
        server.shutdown()
        server.server_close()
        add_pod("third")
        time.sleep(3)
        server = serve(http.server.ThreadingHTTPServer(address, Api))
        agent.wait_for('pod="third"', "line of third")
        text = agent.program.log.read_text(errors="replace")
        assert text.count("line of first") == 1, "a file was read again"
        assert "HTTP status 401" in text, text[-2000:]


def snappy_block(data):
    """As snappy's format allows: the length, then everything as literals."""
    out, length = bytearray(), len(data)
    while length >= 0x80:
        out.append(length & 0x7f | 0x80)
        length >>= 7
    out.append(length)
    for at in range(0, len(data), 60):
        piece = data[at:at + 60]
        out += bytes([(len(piece) - 1) << 2]) + piece
    return bytes(out)


def protobuf_stream(labels, line):
    """One stream with one entry of a push request; all lengths below 128."""
    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content
    return field(1, field(1, labels) + field(2, field(1, b"\x08\x01") + field(2, line)))


def push(folder):
    """One stream whose labels cannot be read, and one that relabelling drops, discard nothing of the others."""
    port = free_port()
    scrape = {"job_name": "p", "loki_push_api": {"server": {"http_listen_port": port, "http_listen_address": "127.0.0.1"}, "labels": {"via": "push"}},
              "relabel_configs": [{"source_labels": ["drop"], "regex": "yes", "action": "drop"}]}

    def stream(labels, line):
        return {"stream": labels, "values": [["1700000000000000000", line]]}

    with Agent(folder, scrape) as agent:
        eventually("the listener", 20, lambda: fetch(f"http://127.0.0.1:{port}/ready")[0] == 200)
        body = {"streams": [stream({"job": "a"}, "first"), stream({"drop": "yes"}, "dropped"), stream({"job": "b"}, "second")]}
        headers = {"Content-Type": "application/json"}
        assert fetch(f"http://127.0.0.1:{port}/loki/api/v1/push", json.dumps(body).encode(), headers)[0] == 204
        agent.wait_for('job="a"', 'via="push"', "\tfirst")
        agent.wait_for('job="b"', 'via="push"', "\tsecond")
        assert not any("dropped" in line for line in agent.lines())
        broken = [(b'{job="c"}', b"third"), (b'{job=', b"lost"), (b'{job="d"}', b"fourth")]
        body = snappy_block(b"".join(protobuf_stream(*stream) for stream in broken))
        assert fetch(f"http://127.0.0.1:{port}/loki/api/v1/push", body, {"Content-Type": "application/x-protobuf"})[0] == 400
        agent.wait_for('job="c"', "\tthird")
        agent.wait_for('job="d"', "\tfourth")
        assert fetch(f"http://127.0.0.1:{port}/promtail/api/v1/raw", b"raw one\r\n\nraw two\n")[0] == 204
        agent.wait_for("\traw two")
        assert fetch(f"http://127.0.0.1:{port}/loki/api/v1/push", b"{", headers)[0] == 400


def syslog_tls(folder):
    """RFC 5424 over TLS with client certificates, both framings; without a certificate nothing gets in."""
    authority = Authority(folder)
    cert, key = authority.issue("server")
    client = authority.issue("client")
    port = free_port()
    scrape = {"job_name": "s",
              "syslog": {"listen_address": f"127.0.0.1:{port}", "labels": {"job": "syslog"}, "label_structured_data": True,
                         "tls_config": {"cert": cert.read_text(), "key_file": str(key), "ca_file": str(authority.cert)}},
              "relabel_configs": [{"source_labels": ["__syslog_message_severity"], "target_label": "severity"},
                                  {"source_labels": ["__syslog_message_sd_id_1_k"], "target_label": "k"}]}

    def send(payload, certificate):
        context = ssl.create_default_context(cafile=authority.cert)
        if certificate:
            context.load_cert_chain(*map(str, certificate))
        with socket.create_connection(("127.0.0.1", port), 60) as raw, context.wrap_socket(raw, server_hostname="localhost") as out:
            out.sendall(payload)
            out.settimeout(2)
            try:
                return out.recv(1)
            except (TimeoutError, socket.timeout):
                return b""

    with Agent(folder, scrape) as agent:
        eventually("the agent", 20, lambda: fetch(f"http://127.0.0.1:{agent.port}/ready")[0] == 200)
        message = b'<11>1 2026-01-02T03:04:05Z h app 1 - [id@1 k="v"] over tls'
        send(b"%d %s" % (len(message), message), client)
        agent.wait_for('job="syslog"', 'k="v"', 'severity="error"', "\tover tls")
        send(message.replace(b"over tls", b"framed by newline") + b"\n", client)
        agent.wait_for('k="v"', "\tframed by newline")
        try:
            send(message.replace(b"over tls", b"stranger") + b"\n", None)
        except (ssl.SSLError, OSError):
            pass
        time.sleep(1)
        assert not any("stranger" in line for line in agent.lines())


PARTS = {part.__name__: part for part in (docker, gelf, http_sd, journal, kubernetes, kubernetes_again, oddities, push, ready, syslog_tls)}


def main():
    os.environ.pop("NODE_NAME", None)
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory(prefix="kvasir-sources-") as folder:
            PARTS[name](Path(folder))
        print("ok", name)


if __name__ == "__main__":
    main()
