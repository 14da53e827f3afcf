#!/usr/bin/env python3
"""Programs that no one here wrote talk to the real server and notice nothing: clients_test.py PART."""
import json
import os
import re
import subprocess
import time

from packages import maven_with, npm_with, python_with, tool
from running import BIN, ROOT, World, eventually, fetch, fetch_json, free_port, run_part

CLIENTS = ROOT / "tests/e2e/clients"
OTEL = ("opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2", "opentelemetry-exporter-otlp-proto-grpc==1.45.2")
NODE = ("winston@3.17.0", "winston-loki@6.1.7", "pino@9.7.0", "pino-loki@3.0.0", "ws@8.23.0")


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def rows(url, query):
    """(stream labels, metadata, line), oldest first."""
    result = fetch_json(url + "/loki/api/v1/query_range", query=query, since="1h", limit=1000, direction="forward")["data"]["result"]
    found = [(int(value[0]), stream["stream"], value[1]) for stream in result for value in stream["values"]]
    return [(labels, line) for _, labels, line in sorted(found, key=lambda row: row[0])]


def rows_when_there(url, query, count):
    eventually(f"{count} rows of {query}", 30, lambda: len(rows(url, query)) >= count)
    found = rows(url, query)
    assert len(found) == count, f"{len(found)} rows of {query}, not {count}: {found[:3]}"
    return found


def check_shop(url, label="app"):
    """What most clients here log: `line 0` to `line 19`, in order, and an error."""
    lines = [line for _, line in rows_when_there(url, '{%s="shop"}' % label, 21)]
    numbers = [int(found.group(1)) for line in lines if (found := re.search(r"line (\d+)", line))]
    assert sorted(numbers) == list(range(20)), numbers
    assert sum("it broke" in line for line in lines) == 1


def check_otlp(url, printed):
    found = {line: labels for labels, line in rows_when_there(url, '{service_name="shop"}', 3)}
    assert {"debug line", "it broke ünïcödé", "two\nlines"} == set(found)
    broken = found["it broke ünïcödé"]
    assert broken["trace_id"] == printed.strip() and broken["order_id"] == "4711", broken
    assert broken["severity_text"] == "ERROR" and broken["detected_level"] == "error", broken
    assert broken["deployment_environment_name"] == "test" and broken["host_name"] == "h1", broken
    assert [line for _, line in rows(url, '{trace_id="%s"}' % printed.strip())] == ["it broke ünïcödé"]


def otlp_http():
    python = python_with(*OTEL) / "python"
    with World() as world:
        _, url = world.kvasir()
        check_otlp(url, run(python, CLIENTS / "otlp.py", "http", url))


def otlp_grpc():
    python = python_with(*OTEL) / "python"
    port = free_port()
    with World() as world:
        _, url = world.kvasir(f"kvasir: {{otlp_grpc_listen_port: {port}}}\n")
        check_otlp(url, run(python, CLIENTS / "otlp.py", "grpc", f"http://127.0.0.1:{port}"))


def python_logging_loki():
    python = python_with("python-logging-loki==0.3.1") / "python"
    with World() as world:
        _, url = world.kvasir()
        run(python, CLIENTS / "logging_loki.py", url)
        check_shop(url)
        assert len(rows(url, '{app="shop", kind="odd"}')) == 10
        assert len(rows(url, '{app="shop", severity="error", logger="orders"}')) == 1


def loki_logger_handler():
    python = python_with("loki-logger-handler==1.1.2", "requests==2.32.3") / "python"
    with World() as world:
        _, url = world.kvasir()
        run(python, CLIENTS / "loki_logger_handler.py", url)
        check_shop(url)
        assert len(rows(url, '{app="shop"} | run="r1" | order_id="4720"')) == 1


def winston():
    modules = npm_with(*NODE) / "node_modules"
    for form in ("json", "protobuf"):
        with World() as world:
            _, url = world.kvasir()
            run("node", CLIENTS / "winston.js", url, form, env={**os.environ, "NODE_PATH": str(modules)})
            check_shop(url)
            assert len(rows(url, '{app="shop", level="error", kind="fault"}')) == 1


def pino():
    modules = npm_with(*NODE) / "node_modules"
    with World() as world:
        _, url = world.kvasir()
        script = modules.parent / "pino.js"  # the worker thread looks for its modules beside the script
        script.write_text((CLIENTS / "pino.js").read_text())
        run("node", script, url)
        check_shop(url)
        assert len(rows(url, '{app="shop", level="error"} | json | n=-1')) == 1


def loki4j():
    source = CLIENTS / "loki4j"
    path = maven_with((source / "pom.xml").read_text())
    with World() as world:
        _, url = world.kvasir()
        run("javac", "-cp", path, "-d", world.folder, source / "Shop.java")
        run("java", "-cp", f"{path}:{world.folder}", f"-Dlogback.configurationFile={source / 'logback.xml'}", f"-Durl={url}", "Shop")
        check_shop(url)
        assert len(rows(url, '{app="shop", level="ERROR"} | order_id="4711"')) == 1


def push(url, *lines):
    values = [[str(time.time_ns() + i), line] for i, line in enumerate(lines)]
    status, text = fetch(url + "/loki/api/v1/push", json.dumps({"streams": [{"stream": {"job": "tailed"}, "values": values}]}).encode(),
                         {"Content-Type": "application/json"})
    assert status == 204, text


def check_tail(command, environment=None):
    with World() as world:
        _, url = world.kvasir()
        address = url.replace("http", "ws") + "/loki/api/v1/tail?query=%7Bjob%3D%22tailed%22%7D"
        process = subprocess.Popen([*map(str, command), address, "30"], stdout=subprocess.PIPE, text=True, env=environment)
        try:
            assert process.stdout.readline() == "open\n"
            for i in range(10):
                push(url, *(f"line {3 * i + j}" for j in range(3)))
                time.sleep(0.05)
            printed, _ = process.communicate(timeout=200)
        finally:
            process.kill()
        assert process.returncode == 0 and printed.splitlines() == [f"line {i}" for i in range(30)], printed


def tail_websockets():
    check_tail([python_with("websockets==15.0.1") / "python", CLIENTS / "tail.py"])


def tail_resume():
    """A tail that is taken up by its cursor misses nothing and repeats nothing, however much came meanwhile."""
    command = [python_with("websockets==15.0.1") / "python", CLIENTS / "tail.py"]
    with World() as world:
        _, url = world.kvasir()
        address = url.replace("http", "ws") + "/loki/api/v1/tail?query=%7Bjob%3D%22tailed%22%7D&limit=100&cursor="

        def taken_up(cursor, count, live=()):
            process = subprocess.Popen([*map(str, command), address + cursor, str(count)], stdout=subprocess.PIPE, text=True)
            try:
                assert process.stdout.readline() == "open\n"
                if live:
                    push(url, *live)
                *lines, last = process.communicate(timeout=200)[0].splitlines()
            finally:
                process.kill()
            return lines, last.split(" ")[1]

        seen, cursor = taken_up("", 3, ["line 0", "line 1", "line 2"])
        push(url, *(f"line {i}" for i in range(3, 203)))
        rows_when_there(url, '{job="tailed"}', 203)
        for count, live in ((100, ()), (100, ()), (1, ["line 203"])):
            lines, cursor = taken_up(cursor, count, live)
            seen += lines
        assert seen == [f"line {i}" for i in range(204)], seen


def tail_ws():
    modules = npm_with(*NODE) / "node_modules"
    check_tail(["node", CLIENTS / "tail.js"], {**os.environ, "NODE_PATH": str(modules)})


def prometheus():
    """Prometheus scrapes both programs without a complaint, and promtool has none about their pages."""
    program, promtool = tool("prometheus"), tool("promtool")
    with World() as world:
        _, url = world.kvasir()
        push(url, "one", "two")
        rows_when_there(url, '{job="tailed"}', 2)
        port, agent = free_port(), free_port()
        (world.folder / "agent.yaml").write_text(json.dumps({
            "server": {"http_listen_address": "127.0.0.1", "http_listen_port": agent},
            "positions": {"filename": f"{world.folder}/positions.yaml"}, "clients": [{"url": url + "/loki/api/v1/push"}]}))
        world.run("agent", BIN / "kvasir-agent", f"-config.file={world.folder / 'agent.yaml'}")
        (world.folder / "prometheus.yaml").write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [address]}]}
            for job, address in (("kvasir", url[7:]), ("agent", f"127.0.0.1:{agent}"))]}))
        world.run("prometheus", program, f"--config.file={world.folder}/prometheus.yaml", f"--storage.tsdb.path={world.folder}/prom",
                  f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage")
        eventually("both are scraped", 40, lambda: all(
            target["health"] == "up" for target in fetch_json(f"http://127.0.0.1:{port}/api/v1/targets")["data"]["activeTargets"]))
        counted = eventually("the counter is there", 20, lambda: fetch_json(
            f"http://127.0.0.1:{port}/api/v1/query", query="sum(loki_distributor_lines_received_total)")["data"]["result"])
        assert counted[0]["value"][1] == "2", counted
        for page in (url, f"http://127.0.0.1:{agent}"):
            done = subprocess.run([promtool, "check", "metrics"], input=fetch(page + "/metrics")[1], capture_output=True, text=True)
            assert done.returncode == 0 and not done.stdout + done.stderr, f"{page}: {done.stdout}{done.stderr}"


PARTS = (otlp_http, otlp_grpc, python_logging_loki, loki_logger_handler, winston, pino, loki4j, tail_websockets, tail_resume, tail_ws, prometheus)


if __name__ == "__main__":
    run_part(PARTS)
