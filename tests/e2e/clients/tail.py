"""Tails with the websockets package and prints each line, and the last cursor if there is one: tail.py URL LINES."""
import json
import sys

from websockets.sync.client import connect

left, cursor = int(sys.argv[2]), ""
with connect(sys.argv[1]) as socket:
    print("open", flush=True)
    while left > 0:
        frame = json.loads(socket.recv(timeout=150))
        cursor = frame.get("cursor", cursor)
        for stream in frame["streams"]:
            for _, line, *_ in stream["values"]:
                print(line, flush=True)
                left -= 1
if cursor:
    print("cursor", cursor)
