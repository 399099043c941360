#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the way from a model to its user costs, and the built-in agent's own loop.

    agent_bench.py --bin BUILD/bin --image HOME/images/ID [--tokens 30] [--turns 200] [--updates 10000]

The model is played here, on this computer's loopback. Printed:

  first token   from the first byte of a text that the model's server writes until the command line has it: through the door into the
                machine, the agent, guestd, the clerk and the engine; beside a byte there and back by `carrel exec -- cat` in the same run,
                sample by sample, as medians and their ratio
  turns         a session of so many turns with a tool each: time, and the agent's processor time, for each turn; its memory at the end
  updates       a turn of so many pieces of text: how long until it is done, and how long the engine needs for another question meanwhile
"""
import argparse
import http.server
import json
import os
import pathlib
import select
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "files"))
import files_bench  # noqa: E402


class Model(http.server.BaseHTTPRequestHandler):
    """Anthropic's Messages, streamed. What the user said last says what it does."""

    protocol_version = "HTTP/1.1"
    written = {}  # by word: when the first byte of its text was

    def log_message(self, *_arguments):
        pass

    def event(self, name, body):
        data = f"event: {name}\ndata: {json.dumps({'type': name, **body})}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def block(self, start, deltas):
        self.event("content_block_start", {"index": 0, "content_block": start})
        for delta in deltas:
            self.event("content_block_delta", {"index": 0, "delta": delta})
        self.event("content_block_stop", {"index": 0})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        texts = [part["text"] for message in asked["messages"] if message["role"] == "user"
                 for part in (message["content"] if isinstance(message["content"], list) else [{"type": "text", "text": message["content"]}])
                 if part["type"] == "text"]
        word, _space, count = texts[-1].partition(" ")
        since = 0  # turns of this prompt so far
        for message in reversed(asked["messages"]):
            if message["role"] == "user" and any(part["type"] == "text" for part in message["content"] if isinstance(part, dict)):
                break
            since += message["role"] == "assistant"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.event("message_start", {"message": {"id": "m", "type": "message", "role": "assistant", "model": "played", "content": [],
                                                 "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}})
        stop = "end_turn"
        if word == "turns" and since < int(count):
            self.block({"type": "tool_use", "id": f"t{len(asked['messages'])}", "name": "bash", "input": {}},
                       [{"type": "input_json_delta", "partial_json": '{"command": "true"}'}])
            stop = "tool_use"
        elif word == "updates":
            self.block({"type": "text", "text": ""}, ({"type": "text_delta", "text": f"w{i} "} for i in range(int(count))))
        else:
            Model.written[texts[-1]] = time.monotonic()
            self.block({"type": "text", "text": ""}, [{"type": "text_delta", "text": texts[-1]}])
        self.event("message_delta", {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 1}})
        self.event("message_stop", {})
        self.wfile.write(b"0\r\n\r\n")


class World(files_bench.World):
    def run(self, *arguments):
        return subprocess.Popen([self.bin / "carrel", *arguments], env={**os.environ, "CARREL_HOME": str(self.home)},
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def first_token(self, word):
        """Until a text of the agent's holds the word."""
        told = self.run("task", "say", "bench", word, "--json")
        try:
            for line in told.stdout:
                items = json.loads(line).get("items", [])
                if any(item["kind"] == "text" and word in item["text"] for item in items):
                    return time.monotonic() - Model.written[word]
        finally:
            told.stdout.read()
            told.wait()
        raise RuntimeError("the text did not come")

    def agent_use(self):
        """Seconds of processor time and MiB (resident) of carrel-agent in the machine."""
        line = self.carrel("exec", "bench", "--", "sh", "-c",
                           "p=$(pgrep -x carrel-agent | head -1); cat /proc/$p/stat; grep VmRSS /proc/$p/status; getconf CLK_TCK")
        stat, memory, ticks = line.strip().split("\n")
        fields = stat.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / int(ticks), int(memory.split()[1]) / 1024


def ms(seconds):
    return f"{seconds * 1000:.2f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--tokens", type=int, default=30)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--updates", type=int, default=10000)
    arguments = parser.parse_args()
    arguments.cache = "auto"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    world = World(arguments, peer=False)
    try:
        world.carrel("create", "bench", "--share", str(world.ours))
        world.carrel("provider", "add", "played", "--api", "anthropic", "--url", f"http://localhost:{server.server_port}", "--model", "played", "--yes")
        world.carrel("provider", "use", "bench", "played", "--yes")
        files_bench.say("starting the machine")
        world.carrel("task", "bench", "first")
        echo = world.run("exec", "bench", "--", "cat")

        def there_and_back():
            begun = time.monotonic()
            echo.stdin.write(b"x")
            echo.stdin.flush()
            echo.stdout.read1(1)
            return time.monotonic() - begun

        there_and_back()
        tokens, bytes_ = [], []
        for i in range(arguments.tokens):
            bytes_.append(there_and_back())
            tokens.append(world.first_token(f"word{i}"))
        ours, floor = statistics.median(tokens), statistics.median(bytes_)
        print(f"first token: {ms(ours)}, a byte there and back: {ms(floor)}, ratio {ours / floor:.2f}")

        used, _memory = world.agent_use()
        begun = time.monotonic()
        world.carrel("task", "say", "bench", f"turns {arguments.turns}")
        took = time.monotonic() - begun
        now, memory = world.agent_use()
        print(f"turns: {arguments.turns}, {ms(took / arguments.turns)} each, of which {ms((now - used) / arguments.turns)} of the agent's processor time; "
              f"it has {memory:.1f} MiB")

        begun = time.monotonic()
        flood = world.run("task", "say", "bench", f"updates {arguments.updates}", "--json")
        asked = []
        while flood.poll() is None:
            at = time.monotonic()
            world.carrel("list")
            asked.append(time.monotonic() - at)
            drain(flood)
        took = time.monotonic() - begun
        print(f"updates: {arguments.updates} in {took:.2f} s; another question meanwhile: median {ms(statistics.median(asked))}, longest {ms(max(asked))}")
        echo.stdin.close()
        echo.wait()
    finally:
        world.end()
        server.shutdown()


def drain(process):
    """Takes what it has written, so that it does not wait for us."""
    while select.select([process.stdout], [], [], 0)[0]:
        if not process.stdout.read1(1 << 20):
            return


if __name__ == "__main__":
    main()
