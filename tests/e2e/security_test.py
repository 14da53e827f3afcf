#!/usr/bin/env python3
"""Who may do what: TLS and client certificates through the configuration, certificates that change while the server runs, tokens,
password hashes, JSON web tokens whose keys rotate, read policies, and an audit line per query."""
import base64
import contextlib
import http.server
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

from certificates import Authority
from packages import python_with, tool
from running import BIN, World, eventually, fetch, free_port

BCRYPT = "$2b$04$VqatZ94t/MHw4sqevW3PKeTe.FVwh04UDY6yAVdQJngcmaysFdmve"  # of "test"
ARGON2 = "$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQxMg$0SWs0vhLOmXGVfNoo1XrSjY9j+fPcTzU66MSUdMvDhE"  # of "test"
SLOW = "$6$rounds=300000$somesalt$" + "." * 86  # of nothing known; takes 0.1 s to compare
PUSH = "/loki/api/v1/push"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def query(url, text, headers, **params):
    """(status, [(labels, line)])"""
    status, body = fetch(url + "/loki/api/v1/query_range?" + urllib.parse.urlencode({"query": text, "since": "1h", **params}), headers=headers)
    if status != 200:
        return status, body
    return 200, [(s["stream"], line) for s in json.loads(body)["data"]["result"] for _, line in s["values"]]


def push(url, labels, lines, headers):
    values = [[str(time.time_ns() + i), line] for i, line in enumerate(lines)]
    return fetch(url + PUSH, json.dumps({"streams": [{"stream": labels, "values": values}]}).encode(),
                 {"Content-Type": "application/json", **headers})[0]


def curl(*arguments):
    done = subprocess.run([tool("curl"), "-sS", "--max-time", "60", *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def serial_of(port, authority):
    context = ssl.create_default_context(cafile=str(authority.cert))
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.getpeercert()["serialNumber"]


def tls():
    """curl with TLS and with a client certificate; a new certificate is used after SIGHUP without a restart; a broken one changes nothing."""
    with World() as world:
        authority, stranger = Authority(world.folder), Authority(world.folder, "stranger")
        cert, key = authority.issue("server")
        client, client_key = authority.issue("client", "operator")
        foreign, foreign_key = stranger.issue("foreign", "operator")
        port = free_port()
        url = f"https://127.0.0.1:{port}"
        config = world.folder / "tls.yaml"
        text = f"""auth_enabled: false
server:
  http_listen_address: 127.0.0.1
  http_tls_config: {{cert_file: {cert}, key_file: {key}, client_ca_file: {authority.cert}, client_auth_type: AUTH}}
"""
        config.write_text(text.replace("AUTH", "VerifyClientCertIfGiven"))
        kvasir = world.run("kvasir", BIN / "kvasir", f"-config.file={config}", f"-server.http-listen-port={port}",
                           f"-common.path-prefix={world.folder / 'data'}")
        eventually("kvasir is ready", 20, lambda: curl("--cacert", authority.cert, url + "/ready")[1].strip() == "ready")
        assert curl(url + "/ready")[0] == 60, "a client that does not know the authority refuses the server"
        assert curl("--cacert", authority.cert, "--cert", foreign, "--key", foreign_key, url + "/ready")[0] != 0, "a stranger's certificate"
        assert curl("--cacert", authority.cert, "--tls-max", "1.1", url + "/ready")[0] != 0, "TLS 1.1"
        assert curl(f"http://127.0.0.1:{port}/ready")[0] != 0, "plain HTTP on the TLS port"

        before = serial_of(port, authority)
        authority.issue("server")
        assert serial_of(port, authority) == before
        kvasir.process.send_signal(1)
        eventually("the new certificate is used", 10, lambda: serial_of(port, authority) != before)
        now, whole = serial_of(port, authority), cert.read_text()
        cert.write_text("broken")
        kvasir.process.send_signal(1)
        eventually("the log tells of the broken certificate", 10, lambda: str(cert) in kvasir.log.read_text())
        assert serial_of(port, authority) == now
        cert.write_text(whole)

        kvasir.stop()
        config.write_text(text.replace("AUTH", "RequireAndVerifyClientCert"))
        kvasir.start()
        with_client = ("--cacert", authority.cert, "--cert", client, "--key", client_key)
        eventually("kvasir is ready for a known client", 20, lambda: curl(*with_client, url + "/ready")[1].strip() == "ready")
        assert curl("--cacert", authority.cert, url + "/ready")[0] != 0, "no client certificate"
        body = json.dumps({"streams": [{"stream": {"job": "tls"}, "values": [[str(time.time_ns()), "over tls"]]}]})
        assert curl(*with_client, "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/json", "-d", body, url + PUSH)[1] == "204"
        assert "over tls" in curl(*with_client, "-G", url + "/loki/api/v1/query_range", "--data-urlencode", 'query={job="tls"}')[1]


def credentials():
    """Static tokens, password hashes, roles and tenants; no secret is shown."""
    check_verify()
    sha512 = subprocess.run(["openssl", "passwd", "-6", "test"], capture_output=True, text=True).stdout.strip()
    config = {"kvasir": {"auth": {"credentials": [
        {"name": "reader", "token": "reader-secret", "role": "read", "tenants": ["a"]},
        {"name": "agents", "username": "agent", "password_hash": BCRYPT, "role": "write", "tenants": ["a", "b"]},
        {"name": "old", "username": "old", "password_hash": sha512, "role": "read", "tenants": ["a"]},
        {"name": "new", "username": "new", "password_hash": ARGON2, "role": "read", "tenants": ["a"]},
        {"name": "root", "token": "root-secret", "role": "admin"}]}}}
    with World() as world:
        _, url = world.kvasir(as_yaml(config), multi_tenant=True)
        agent, tenant_a, tenant_b = basic("agent", "test"), {"X-Scope-OrgID": "a"}, {"X-Scope-OrgID": "b"}
        assert push(url, {"job": "x"}, ["line of a"], {**agent, **tenant_a}) == 204
        assert push(url, {"job": "x"}, ["line of b"], {**agent, **tenant_b}) == 204
        answers = [
            ("no credential", {}, 401), ("a wrong token", bearer("guess"), 401), ("a wrong password", basic("agent", "Test"), 401),
            ("an unknown user", basic("nobody", "test"), 401), ("the hash as password", basic("agent", BCRYPT), 401),
            ("a token as password", basic("reader", "reader-secret"), 401), ("a password as token", bearer("agent:test"), 401),
            ("basic without a colon", {"Authorization": "Basic " + base64.b64encode(b"agent").decode()}, 401),
            ("another scheme", {"Authorization": "Digest x"}, 401),
            ("its tenant by itself", bearer("reader-secret"), 200), ("another tenant", {**bearer("reader-secret"), **tenant_b}, 403),
            ("two tenants, one its own", {**bearer("reader-secret"), "X-Scope-OrgID": "a|b"}, 403),
            ("SHA-512 hash", basic("old", "test"), 200), ("Argon2 hash", basic("new", "test"), 200), ("a wrong password", basic("new", "Test"), 401),
            ("the hash as password", basic("new", ARGON2), 401), ("a tenant that is a path", {**bearer("root-secret"), "X-Scope-OrgID": "../a"}, 400),
        ]
        for what, headers, status in answers:
            got = query(url, '{job="x"}', headers)
            assert got[0] == status, f"{what}: {got}"
        assert [line for _, line in query(url, '{job="x"}', bearer("reader-secret"))[1]] == ["line of a"]
        assert push(url, {"job": "x"}, ["no"], {**bearer("reader-secret"), **tenant_a}) == 403
        for path in ("/config", "/flush", "/-/reload", "/loki/api/v1/delete?query=%7Bjob%3D%22x%22%7D&start=1"):
            assert fetch(url + path, b"" if path != "/config" else None, {**agent, **tenant_a})[0] == 403, path
        shown = fetch(url + "/config", headers=bearer("root-secret"))[1] + fetch(url + "/metrics")[1] + world.programs[0].log.read_text()
        for secret in ("reader-secret", "root-secret", BCRYPT, ARGON2, sha512, "test:"):
            assert secret not in shown, f"{secret} is shown"
        log = world.programs[0].log.read_text()
        assert re.search(r'tenant=a user=reader route=query_range .*query="?\{job', log), "each query has its line with tenant and user"


def check_verify():
    """-verify-config refuses what a start would refuse."""
    with World() as world:
        for what, text, message in [
            ("no fault", "kvasir: {auth: {credentials: [{username: a, password_hash: \"" + ARGON2 + "\", role: read}]}}", None),
            ("a hash of no kind", "kvasir: {auth: {credentials: [{username: a, password_hash: secret, role: read}]}}", "password hash of a"),
            ("a hash that costs too much", "kvasir: {auth: {credentials: [{username: a, password_hash: \"" + ARGON2.replace("m=4096", "m=9999999")
             + "\", role: read}]}}", "m=9999999 is over the limit 262144"),
            ("an unknown policy", "kvasir: {auth: {credentials: [{username: a, password: b, role: read, policy: none}]}}", "no policy none"),
            ("a broken selector", "kvasir: {auth: {policies: [{name: p, selector: '{'}], required: true, credentials: [{token: t}]}}", "policy p"),
            ("no certificate", "server: {http_tls_config: {cert_file: /none, key_file: /none}}", "/none"),
            ("no overrides", "runtime_config: {file: /none}", "/none"),
        ]:
            config = world.folder / "verify.yaml"
            config.write_text(text + "\n")
            done = subprocess.run([BIN / "kvasir", f"-config.file={config}", "-verify-config"], capture_output=True, text=True, timeout=120)
            assert (done.returncode == 0) == (message is None) and (message or "valid") in done.stdout + done.stderr, (what, done)


def guesses():
    """Who guesses passwords, each of which takes a while to check, holds up nobody whose credential is known."""
    config = {"kvasir": {"auth": {"credentials": [{"name": "victim", "username": "victim", "password_hash": SLOW, "role": "read"},
                                                  {"name": "root", "token": "root-secret", "role": "admin"}]}}}
    with World() as world:
        _, url = world.kvasir(as_yaml(config))
        stop, statuses = threading.Event(), []

        def guess(number):
            while not stop.is_set():
                for path in ("/loki/api/v1/labels", PUSH, "/flush"):
                    with contextlib.suppress(OSError):  # it waited for too long
                        statuses.append(fetch(url + path, None if path.endswith("labels") else b"{}", basic("victim", f"guess {number}"))[0])
                    stop.wait(0.3)

        guessers = [threading.Thread(target=guess, args=(i,)) for i in range(24)]
        for thread in guessers:
            thread.start()
        try:
            eventually("guesses are refused because too many wait", 60, lambda: 503 in statuses)
            before = len([status for status in statuses if status == 401])
            for i in range(30):
                assert query(url, '{job="x"}', bearer("root-secret"))[0] == 200
                assert push(url, {"job": "x"}, [f"line {i}"], bearer("root-secret")) == 204
            checked = len([status for status in statuses if status == 401]) - before
            assert checked < 30, f"{checked} guesses were checked while 60 requests waited for them"
        finally:
            stop.set()
            for thread in guessers:
                thread.join()
        assert set(statuses) <= {401, 503}, set(statuses)


def as_yaml(config):
    """Top-level keys as YAML, JSON below them."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())


SIGN = """
import json, sys, time
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives import serialization
def make(kid, kind):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048) if kind == "RS256" else ec.generate_private_key(ec.SECP256R1())
    algorithm = jwt.algorithms.RSAAlgorithm if kind == "RS256" else jwt.algorithms.ECAlgorithm
    public = json.loads(algorithm.to_jwk(key.public_key()))
    public.update(kid=kid, use="sig", alg=kind)
    return key, public
out = {"keys": [], "tokens": {}}
for kid, kind in (("k1", "RS256"), ("k2", "ES256"), ("k3", "RS256")):
    key, public = make(kid, kind)
    out["keys"].append(public)
    def token(**claims):
        base = {"sub": kid, "iss": "idp", "aud": "logs", "exp": int(time.time()) + 600, "tenant": ["a"]}
        return jwt.encode({**base, **claims}, key, algorithm=kind, headers={"kid": kid})
    out["tokens"][kid] = {"read": token(), "write": token(role="write"), "late": token(exp=int(time.time()) - 60), "b": token(tenant="b"),
                          "issuer": token(iss="other"), "audience": token(aud="x"), "role": token(role="root"), "policy": token(policy="team-a")}
    other, _ = make(kid, kind)
    out["tokens"][kid]["forged"] = jwt.encode({"sub": "x", "iss": "idp", "aud": "logs", "exp": int(time.time()) + 600, "tenant": ["a"]},
                                              other, algorithm=kind, headers={"kid": kid})
print(json.dumps(out))
"""


class KeyServer:
    """Serves a key set that can change."""

    def __init__(self, keys):
        self.keys, outer = keys, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"keys": outer.keys}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/keys"


def jwt():
    """Tokens of a foreign library against a key set from a URL and from a file; keys rotate while the server runs."""
    python = python_with("PyJWT==2.10.1", "cryptography==44.0.3") / "python"
    made = json.loads(subprocess.run([python, "-c", SIGN], capture_output=True, text=True, check=True).stdout)
    keys, tokens = made["keys"], made["tokens"]
    served = KeyServer(keys[:2])
    with World() as world:
        key_file = world.folder / "keys.json"
        key_file.write_text(json.dumps({"keys": keys[:2]}))
        for source in ({"jwks_url": served.url}, {"jwks_file": str(key_file)}):
            config = {"kvasir": {"auth": {"jwt": {**source, "issuer": "idp", "audience": "logs", "jwks_refresh": "1s"}}}}
            program, url = world.kvasir(as_yaml(config), multi_tenant=True)
            for kid in ("k1", "k2"):
                expect = {"read": 200, "write": 200, "late": 401, "issuer": 401, "audience": 401, "role": 401, "forged": 401, "policy": 401, "b": 200}
                for name, status in expect.items():
                    assert query(url, '{job="x"}', bearer(tokens[kid][name]))[0] == status, (source, kid, name)
                assert query(url, '{job="x"}', {**bearer(tokens[kid]["b"]), "X-Scope-OrgID": "a"})[0] == 403
                assert push(url, {"job": "x"}, ["1"], bearer(tokens[kid]["read"])) == 403
                assert push(url, {"job": "x"}, ["1"], bearer(tokens[kid]["write"])) == 204
            header, payload, _ = tokens["k1"]["read"].split(".")
            none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1"}').rstrip(b"=").decode()
            for token in (f"{none}.{payload}.", f"{header}.{payload}.", "a.b.c", "." * 2, tokens["k1"]["read"][:-4] + "AAAA"):
                assert query(url, '{job="x"}', bearer(token))[0] == 401, token
            assert query(url, '{job="x"}', bearer(tokens["k3"]["read"]))[0] == 401
            served.keys = keys[1:]
            key_file.write_text(json.dumps({"keys": keys[1:]}))
            eventually("the new key is accepted", 30, lambda: query(url, '{job="x"}', bearer(tokens["k3"]["read"]))[0] == 200)
            assert query(url, '{job="x"}', bearer(tokens["k1"]["read"]))[0] == 401, "a key that was taken back"
            served.keys = keys[:2]
            key_file.write_text(json.dumps({"keys": keys[:2]}))
            program.stop()


def policies():
    """A reader sees the streams of its selector, without the values of masked fields, on every route that answers it at all."""
    config = {"pattern_ingester": {"enabled": True}, "kvasir": {"auth": {
        "policies": [{"name": "team-a", "selector": '{team="a"}', "mask": ["password", "owner"]}, {"name": "quiet", "mask": ["password", "card.number"]}],
        "reader_policy": "quiet",
        "credentials": [{"name": "ann", "token": "ann", "tenants": ["t"], "policy": "team-a"}, {"name": "bob", "token": "bob", "tenants": ["t"]},
                        {"name": "all", "token": "all", "role": "write", "tenants": ["t"]}]}}}
    with World() as world:
        _, url = world.kvasir(as_yaml(config), multi_tenant=True)
        writer = bearer("all")
        assert push(url, {"team": "a", "app": "shop", "owner": "zoe"}, ['{"n":1,"password":"hunter2"}', "password=hunter2 n=2"], writer) == 204
        assert push(url, {"team": "b", "app": "till"}, ['{"n":3,"password":"hunter2"}'], writer) == 204
        eventually("all is stored", 10, lambda: len(query(url, '{app=~".+"}', writer)[1]) == 3)
        for token, lines in (("ann", 2), ("bob", 3)):
            got = query(url, '{app=~".+"}', bearer(token))
            assert got[0] == 200 and len(got[1]) == lines and "hunter2" not in str(got) and "********" in str(got), (token, got)
            for narrowing in ('{app=~".+"} |= "hunter2"', '{app=~".+"} | json | password="hunter2"', '{app=~".+"} |~ "hunter[0-9]"',
                              '{app=~".+"} | logfmt | password="hunter2"'):
                assert query(url, narrowing, bearer(token))[1] == [], (token, narrowing)
        written = ['{"pass\\u0077ord":"hunter2"}', '\x1b[36mpassword=\x1b[0mhunter2 n=4', 'password=x,hunter2 n=5', 'password => "x hunter2"',
                   'user[password]=hunter2', 'password[]=hunter2', 'password[a][b]=hunter2', 'password%5B%5D=hunter2', 'password__=hunter2',
                   '{"password[0]":"hunter2"}', '{"msg":"password\\u003dhunter2"}', '{"msg":"x\\npassword=hunter2"}', '{"card":{"number":"hunter2"}}', '{"card-number":"hunter2"}', 'card.number=hunter2']
        assert push(url, {"team": "c", "app": "kiosk"}, written, writer) == 204
        for text in ('{team="c"}', '{team="c"} | json', '{team="c"} | regexp `(?P<all>.+)`', '{team="c"} | logfmt', '{team="c"} | decolorize | logfmt', '{team="c"} | unpack'):
            status, lines = query(url, text, bearer("bob"))
            assert status == 200 and len(lines) == len(written) and "hunter2" not in str(lines), (text, lines)
        for text in ('{team="c"} |= "hunter2"', '{team="c"} | logfmt | password__="hunter2"', '{team="c"} | json | password_0_="hunter2"'):
            assert query(url, text, bearer("bob"))[1] == [], text
        assert push(url, {"team": "a", "app": "shop", "owner": "zoe"}, ["password[]=hunter2 n=2"], writer) == 204
        ann = bearer("ann")
        assert query(url, '{team="b"}', ann)[1] == [] and query(url, '{owner="zoe"}', ann)[0] == 400
        paths = {"/loki/api/v1/labels": None, "/loki/api/v1/label/app/values": None, "/loki/api/v1/label/owner/values": None,
                 "/loki/api/v1/label/team/values": None, "/loki/api/v1/series?match[]=%7Bapp%3D~%22.%2B%22%7D": None}
        for path in paths:
            status, body = fetch(url + path, headers=ann)
            assert status == 200 and "till" not in body and "zoe" not in body and '"b"' not in body, (path, status, body)
        total = fetch(url + "/loki/api/v1/query?" + urllib.parse.urlencode({"query": 'sum(count_over_time({app=~".+"}[1h]))'}), headers=ann)[1]
        assert json.loads(total)["data"]["result"][0]["value"][1] == "3", total
        everywhere(url, ann, writer)
        tails(url, ann, writer)


NARROWED = ("/loki/api/v1/query_range", "/loki/api/v1/index/stats", "/loki/api/v1/index/volume", "/loki/api/v1/index/volume_range",
            "/loki/api/v1/index/shards", "/loki/api/v1/detected_labels", "/loki/api/v1/detected_fields", "/loki/api/v1/patterns",
            "/loki/api/v1/detected_field/password/values", "/api/v1/labels", "/api/v1/label/app/values", "/api/v1/label/owner/values",
            "/api/v1/series", "/api/v1/query_exemplars", "/api/v1/explain", f"/api/v1/trace/{TRACE}/logs", "/api/prom/query", "/api/prom/label",
            "/api/prom/series")
REFUSED = ("/prometheus/api/v1/rules", "/prometheus/api/v1/alerts", "/loki/api/v1/rules", "/loki/api/v1/delete", "/config",
           "/config/tenant/v1/limits", "/loki/api/v1/drilldown-limits", "/api/v1/queries")


def everywhere(url, ann, writer):
    """Every route that reads: the same question by the writer finds what the reader may not see."""
    now = time.time_ns()
    select = urllib.parse.urlencode({"query": '{app=~".+"}', "start": now - 3600 * 10**9, "end": now, "match[]": '{app=~".+"}', "limit": 1000,
                                     "aggregateBy": "series", "targetLabels": "app,owner", "targetBytesPerShard": "1KB", "step": 60})
    seen = 0
    for path in NARROWED:
        status, body = fetch(f"{url}{path}?{select}", headers=ann)
        assert status == 200, (path, status, body[:300])
        assert not any(secret in body for secret in ("hunter2", "till", "zoe")), (path, body[:500])
        seen += any(secret in fetch(f"{url}{path}?{select}", headers=writer)[1] for secret in ("hunter2", "till", "zoe"))
    assert seen >= 9, f"the trial itself sees the secrets on {seen} routes"
    both = [json.loads(fetch(f"{url}/loki/api/v1/index/stats?{select}", headers=who)[1])["streams"] for who in (ann, writer)]
    assert both == [1, 3], both
    for path in REFUSED:
        assert fetch(f"{url}{path}?{select}", headers=ann)[0] == 403, path
    for metric in ('sum(count_over_time({app=~".+"}[1h]))', 'sum(count_over_time({app=~".+"} |= "hunter2" [1h]))'):
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": metric})
        values = [json.loads(fetch(url + path, headers=who)[1])["data"]["result"] for who in (ann, writer)]
        assert values[0] != values[1], (metric, values)
    lines = fetch(f"{url}/loki/api/v1/query_range?{select}", headers={**ann, "Accept": "application/x-ndjson"})[1].splitlines()
    own = [json.loads(line)["cursor"] for line in lines]
    lines = fetch(f"{url}/loki/api/v1/query_range?{select}", headers={**writer, "Accept": "application/x-ndjson"})[1].splitlines()
    foreign = [entry["cursor"] for entry in map(json.loads, lines) if entry["cursor"] not in own]
    for cursor, status in [(own[0], 200), (foreign[0], 404)]:
        got, body = fetch(f"{url}/api/v1/entry/{cursor}", headers=ann)
        assert got == status and "hunter2" not in body and "till" not in body and "zoe" not in body, (cursor, got, body)


def tails(url, ann, writer):
    """History and live lines of a tail are narrowed and masked; a hidden label is refused."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    def tail(query):
        start = urllib.parse.urlencode({"query": query, "start": time.time_ns() - 3600 * 10**9})
        return connect(url.replace("http", "ws", 1) + "/loki/api/v1/tail?" + start, additional_headers=ann)

    def lines(socket, count):
        text = ""
        while text.count('"stream"') < count:
            text += socket.recv(timeout=10)
        return text

    with tail('{app=~".+"}') as socket:
        shown = lines(socket, 3)
        assert push(url, {"team": "b", "app": "till"}, ["password=hunter2 of b"], writer) == 204
        assert push(url, {"team": "a", "app": "shop", "owner": "zoe"}, ["password=hunter2 live"], writer) == 204
        shown += lines(socket, 1)
        assert shown.count('"stream"') == 4 and "********" in shown, shown
        assert not any(secret in shown for secret in ("hunter2", "till", "zoe")), shown
    with tail('{owner="zoe"}') as socket:
        try:
            raise AssertionError(socket.recv(timeout=10))
        except ConnectionClosed as closed:
            assert "hidden" in closed.rcvd.reason, closed


def reload():
    """Credentials and policies change without a restart, by POST and by SIGHUP; a broken file changes nothing; what was done is logged."""
    def config(token, policy='{team="a"}'):
        return as_yaml({"kvasir": {"auth": {
            "policies": [{"name": "p", "selector": policy}],
            "credentials": [{"name": "root", "token": "root-secret", "role": "admin"},
                            {"name": "reader", "token": token, "tenants": ["t"], "policy": "p"}]}}})

    with World() as world:
        runtime = world.folder / "runtime.yaml"
        runtime.write_text("overrides: {}\n")
        kvasir, url = world.kvasir(as_yaml({"runtime_config": {"file": str(runtime), "period": "1h"}}) + config("first"), multi_tenant=True)
        file, root, tenant = world.folder / "kvasir.yaml", bearer("root-secret"), {"X-Scope-OrgID": "t"}
        for team in "ab":
            assert push(url, {"team": team}, [f"line of {team}"], {**root, **tenant}) == 204

        def seen(token):
            got = query(url, '{team=~".+"}', bearer(token))
            return [line for _, line in got[1]] if got[0] == 200 else got[0]

        def write(token, policy='{team="a"}'):
            file.write_text(file.read_text().split("kvasir:")[0] + config(token, policy))

        assert (seen("first"), seen("second")) == (["line of a"], 401)
        write("second", '{team="b"}')
        assert seen("first") == ["line of a"], "nothing changes by itself"
        assert fetch(url + "/-/reload", b"", bearer("second"))[0] == 401
        assert fetch(url + "/-/reload", b"", root)[0] == 200
        assert (seen("first"), seen("second")) == (401, ["line of b"])
        write("third")
        kvasir.process.send_signal(1)
        eventually("SIGHUP reads the credentials", 10, lambda: seen("third") == ["line of a"])
        write("fourth", "{broken")
        assert fetch(url + "/-/reload", b"", root)[0] == 500
        assert (seen("third"), seen("fourth")) == (["line of a"], 401)
        write("third")
        half_broken(world, url, write, seen)
        audited(url, kvasir, {**root, **tenant})


def half_broken(world, url, write, seen):
    """A good main file next to a broken runtime file: nothing of the main file is taken, neither by POST nor by SIGHUP."""
    kvasir, runtime = world.programs[0], world.folder / "runtime.yaml"
    failures = lambda: re.search(r"kvasir_config_reload_failures_total (\d+)", fetch(url + "/metrics")[1]).group(1)
    good = runtime.read_text()
    for broken in ("overrides: [", "overrides: {t: {max_query_series: x}}"):
        runtime.write_text(broken)
        write("fifth")
        status, body = fetch(url + "/-/reload", b"", bearer("root-secret"))
        assert status == 500 and "runtime.yaml" in body, (status, body)
        assert (seen("third"), seen("fifth")) == (["line of a"], 401), broken
        before = failures()
        kvasir.process.send_signal(1)
        eventually("SIGHUP is heard", 10, lambda: failures() != before)
        assert (seen("third"), seen("fifth")) == (["line of a"], 401), broken
    runtime.write_text(good)
    assert fetch(url + "/-/reload", b"", bearer("root-secret"))[0] == 200
    assert (seen("third"), seen("fifth")) == (401, ["line of a"])
    write("third")
    assert fetch(url + "/-/reload", b"", bearer("root-secret"))[0] == 200


def audited(url, kvasir, root):
    """One line for each act that changes something, for refused callers, and for tails."""
    from websockets.sync.client import connect
    rule = b"name: g\nrules:\n- record: r:x\n  expr: vector(1)\n"
    assert fetch(url + "/loki/api/v1/rules/ns", rule, root)[0] == 202
    assert fetch(url + "/loki/api/v1/rules/ns/g", headers=root, method="DELETE")[0] == 202
    assert fetch(url + "/loki/api/v1/rules/ns", rule, bearer("third"))[0] == 403
    answer = fetch(f"{url}/loki/api/v1/delete?query=%7Bteam%3D%22b%22%7D&start={int(time.time()) - 3600}&end={int(time.time()) - 60}", b"", root)
    assert answer[0] == 204, answer
    with connect(url.replace("http", "ws", 1) + "/loki/api/v1/tail?query=%7Bteam%3D%22a%22%7D", additional_headers=root):
        pass
    assert fetch(url + "/loki/api/v1/label/team/values", headers=root)[0] == 200
    wanted = ('msg="rule group written" tenant=t user=root', 'msg="delete requested" tenant=t user=root', 'msg="rule group deleted" tenant=t user=root', 'msg="caller refused" user=reader',
              'status=401 reason="unknown token"', 'msg="admin request" tenant="" user=root', "msg=tail tenant=t user=root",
              'msg="metadata query" tenant=t user=root')
    for text in wanted:
        eventually(f"the log says {text}", 10, lambda: text in kvasir.log.read_text())
    assert "root-secret" not in kvasir.log.read_text() and "third" not in kvasir.log.read_text()


def certificates():
    """A client certificate as a credential has the role that is configured."""
    with World() as world:
        authority = Authority(world.folder)
        cert, key = authority.issue("server")
        client, client_key = authority.issue("client", "shipper")
        tls = {"cert_file": str(cert), "key_file": str(key), "client_ca_file": str(authority.cert), "client_auth_type": "VerifyClientCertIfGiven"}
        for role, statuses in (("read", ("403", "200", "403")), ("write", ("204", "200", "403")), ("admin", ("204", "200", "200"))):
            port = free_port()
            config = world.folder / f"{role}.yaml"
            config.write_text(as_yaml({"auth_enabled": False, "server": {"http_listen_address": "127.0.0.1", "http_tls_config": tls},
                                       "kvasir": {"otlp_grpc_listen_port": 0, "auth": {
                                           "required": True, "client_certificate_is_enough": True, "client_certificate_role": role}}}))
            kvasir = world.run(role, BIN / "kvasir", f"-config.file={config}", f"-server.http-listen-port={port}",
                               f"-common.path-prefix={world.folder / role}")
            url, known = f"https://127.0.0.1:{port}", ("--cacert", authority.cert, "--cert", client, "--key", client_key)
            eventually("kvasir is ready", 20, lambda: curl("--cacert", authority.cert, url + "/ready")[1].strip() == "ready")
            body = json.dumps({"streams": [{"stream": {"job": "x"}, "values": [[str(time.time_ns()), "x"]]}]})
            code = ("-o", "/dev/null", "-w", "%{http_code}")
            got = (curl(*known, *code, "-H", "Content-Type: application/json", "-d", body, url + PUSH)[1],
                   curl(*known, *code, url + "/loki/api/v1/labels")[1], curl(*known, *code, url + "/config")[1])
            assert got == statuses, (role, got)
            assert curl("--cacert", authority.cert, *code, url + "/loki/api/v1/labels")[1] == "401", "without the certificate"
            kvasir.stop()


PARTS = (tls, credentials, guesses, jwt, policies, reload, certificates)


def main():
    if sys.argv[1] in ("policies", "reload") and "websockets" not in sys.modules:  # a WebSocket client that no one here wrote
        python = python_with("websockets==15.0.1") / "python"
        if Path(sys.executable) != python and "--inside" not in sys.argv:
            sys.exit(subprocess.run([python, *sys.argv, "--inside"]).returncode)
    part = {p.__name__: p for p in PARTS}[sys.argv[1]]
    part()
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
