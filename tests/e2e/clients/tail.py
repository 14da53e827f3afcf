"""Tails with the websockets package and prints each line: tail.py URL LINES."""
import json
import sys

from websockets.sync.client import connect

left = int(sys.argv[2])
with connect(sys.argv[1]) as socket:
    print("open", flush=True)
    while left > 0:
        for stream in json.loads(socket.recv(timeout=30))["streams"]:
            for _, line, *_ in stream["values"]:
                print(line, flush=True)
                left -= 1
