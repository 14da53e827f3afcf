#!/usr/bin/env python3
"""One real line through the whole house: a file, the agent, the server, the command line; over rotation and restarts."""
import json
import os
import subprocess
import time

from running import BIN, World, eventually, fetch, fetch_json, free_port

AGENT = """server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}}}
positions: {{filename: {folder}/positions.yaml}}
clients: [{{url: "{kvasir}/loki/api/v1/push", batchwait: 100ms}}]
target_config: {{sync_period: 300ms}}
scrape_configs:
  - job_name: app
    static_configs: [{{targets: [localhost], labels: {{job: app, __path__: "{folder}/logs/*.log"}}}}]
    pipeline_stages:
      - json: {{expressions: {{level: level}}}}
      - labels: {{level: }}
"""


class House:
    def __init__(self, world):
        self.folder = world.folder
        (self.folder / "logs").mkdir()
        self.log = self.folder / "logs/app.log"
        self.write('{"level":"info","msg":"package installed"}')
        self.kvasir, self.url = world.kvasir()
        port = free_port()
        self.agent_url = f"http://127.0.0.1:{port}"
        (self.folder / "agent.yaml").write_text(AGENT.format(port=port, folder=self.folder, kvasir=self.url))
        self.agent = world.run("agent", BIN / "kvasir-agent", f"-config.file={self.folder / 'agent.yaml'}")
        eventually("the agent is ready", 20, lambda: fetch(self.agent_url + "/ready")[0] == 200)

    def write(self, *lines):
        with self.log.open("a") as file:
            for line in lines:
                file.write(line + "\n")

    def ctl(self, *arguments):
        done = subprocess.run([BIN / "kvasirctl", *arguments, "--addr", self.url, "--quiet"], capture_output=True, text=True, timeout=300,
                              env={**os.environ, "TZ": "UTC"})
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout.splitlines()

    def count(self):
        result = fetch_json(self.url + "/loki/api/v1/query", query='sum(count_over_time({job="app"}[1h]))')["data"]["result"]
        return int(float(result[0]["value"][1])) if result else 0


def check_command_line(house):
    house.write('{"level":"error","msg":"it broke"}')
    eventually("both lines are stored", 20, lambda: house.count() == 2)
    assert house.ctl("query", '{job="app"} |= "installed"', "--output", "raw") == ['{"level":"info","msg":"package installed"}']
    lines = house.ctl("query", '{job="app"}', "--output", "jsonl", "--forward")
    assert [json.loads(line)["labels"]["level"] for line in lines] == ["info", "error"], lines
    ordered = house.ctl("query", '{job="app"} | order by timestamp asc', "--output", "jsonl")
    assert [json.loads(line)["labels"]["level"] for line in ordered] == ["info", "error"], ordered
    assert "level" in house.ctl("labels")
    assert house.ctl("labels", "level") == ["error", "info"]
    assert len(house.ctl("series", '{job="app"}')) == 2
    assert house.ctl("instant-query", 'sum by (level) (count_over_time({job="app"}[1h]))', "-o", "table") == [
        "level  value", "error  1", "info   1"]
    bad = subprocess.run([BIN / "kvasirctl", "query", "{job=", "--addr", house.url], capture_output=True, text=True)
    assert bad.returncode == 1 and "parse error at line 1" in bad.stderr, bad


def check_paging(house):
    house.write(*(f'{{"level":"info","n":{n}}}' for n in range(5000)))
    eventually("5,002 lines are stored", 30, lambda: house.count() == 5002)
    lines = house.ctl("query", '{job="app"} | json | n!=""', "--output", "raw", "--limit", "0", "--batch", "700", "--forward")
    assert sorted(json.loads(line)["n"] for line in lines) == list(range(5000)), len(lines)


def check_tail(house):
    tail = subprocess.Popen([BIN / "kvasirctl", "tail", '{job="app"}', "--addr", house.url, "--quiet", "-o", "raw", "--since", "1h"],
                            stdout=subprocess.PIPE, text=True)
    try:
        assert tail.stdout.readline(), "a line of the past says that the tail has begun"
        house.write('{"level":"info","msg":"live one"}')
        while line := tail.stdout.readline():
            if "live one" in line:
                return
        raise AssertionError("the tail never showed the line")
    finally:
        tail.kill()
        tail.wait()


def check_restarts(house):
    before = house.count()
    house.log.rename(house.folder / "logs/app.log.1")
    house.write('{"level":"info","msg":"after rotation"}')
    eventually("the line after the rotation is stored", 20, lambda: house.count() == before + 1)
    house.agent.stop()
    house.write('{"level":"info","msg":"while the agent was away"}')
    house.kvasir.stop()
    house.agent.start()
    house.write('{"level":"info","msg":"while the server was away"}')
    time.sleep(1)
    house.kvasir.start()
    eventually("every line is stored once", 40, lambda: house.count() == before + 3)
    time.sleep(2)
    assert house.count() == before + 3


def main():
    with World() as world:
        house = House(world)
        check_command_line(house)
        check_paging(house)
        check_tail(house)
        check_restarts(house)
        status, text = fetch(house.agent_url + "/metrics")
        assert status == 200 and "promtail_sent_entries_total" in text
        status, text = fetch(house.url + "/metrics")
        assert status == 200 and "# TYPE" in text
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
