#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Carrel's network against QEMU's own (slirp), in the same machine, in the same run; and what ending TLS at the door costs.

    network_bench.py --bin BUILD/bin --image HOME/images/ID [--repeat 5]

The machine gets a network device beside Carrel's way, which its own never have, so that one and the same program measures both. The
far end is a server here: for slirp at 10.0.2.2, which is this computer's loopback; for Carrel at this computer's own name, which a
rule allows, and at the address that it leads to, which another one names. Nothing leaves this computer. Prints medians and the ratio,
above 1 where Carrel is faster.

  stream   bytes to the machine, one connection and eight at once
  connect  new connections, one after the other, each with a byte there and one back
  https    a small request on a new connection, by curl: TLS passed through, and by slirp; both without looking a name up
  ended    bytes over https, with TLS ended at the door ÷ passed through
  idle     memory of the engine's and the clerks' own for each open connection that rests

Needs: python3, openssl, the modules of the image's kernel (fetched as Debian's package where they are not installed).
"""
import argparse
import os
import pathlib
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "files"))
import files_bench  # noqa: E402

PIECE = b"\0" * (1 << 20)


def own_name():
    """This computer's name, and the address that it has by it."""
    name = socket.gethostname().lower()
    try:
        return name, socket.gethostbyname(name)
    except OSError:
        sys.exit(f"this computer has no address by its own name, {name}: give it one in /etc/hosts")


class Server:
    """Lines: "send N", "echo"; with TLS: HTTP, /N for N bytes."""

    def __init__(self, address, context=None):
        self.listener = socket.create_server((address, 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.context = context
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _peer = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            lines = connection.makefile("rb")
            while line := lines.readline():
                if self.context:
                    size = int(line.split()[1][1:])
                    while lines.readline().strip():
                        pass
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                    self.send(connection, size)
                elif line.startswith(b"send"):
                    self.send(connection, int(line.split()[1]))
                else:
                    connection.sendall(b"x")
        except OSError:
            pass
        finally:
            connection.close()

    @staticmethod
    def send(connection, size):
        for at in range(0, size, len(PIECE)):
            connection.sendall(PIECE[: size - at])


def certificate(at, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                    "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(at / "key.pem"), "-out", str(at / "cert.pem")],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(at / "cert.pem", at / "key.pem")
    return context


class World(files_bench.World):
    def __init__(self, arguments):
        super().__init__(arguments, peer=False)
        self.name, self.own = own_name()
        shutil.copy(files_bench.HELPER / "qemu-with-helper.sh", self.bin / "carrel-qemu")
        release = (pathlib.Path(arguments.image) / "kernel.release").read_text().strip()
        initrd = files_bench.helper_initrd(self.at, release, self.binaries,
                                           ["net/core/failover.ko", "drivers/net/net_failover.ko", "drivers/net/virtio_net.ko"])
        (self.bin / "helper.conf").write_text(f"network=user\nport={self.at}/helper.sock\ninitrd={initrd}\n")
        context = certificate(self.at, self.name)
        os.environ["SSL_CERT_FILE"] = str(self.at / "cert.pem")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            os.environ.pop(name, None)
        # For each side: a plain one, one with TLS; and on ours one whose TLS is ended.
        self.sides = {"ours": (self.name, Server(self.own), Server(self.own, context)), "peer": ("10.0.2.2", Server("127.0.0.1"), Server("127.0.0.1", context))}
        self.ended = Server(self.own, context)

    def start(self):
        tools = self.at / "tools"
        tools.mkdir()
        shutil.copy(self.binaries / "bench-network-work", tools)
        self.carrel("create", "bench")
        self.carrel("share", "add", "bench", f"{tools}:read-only")
        self.carrel("start", "bench")
        self.port = socket.socket(socket.AF_UNIX)
        self.port.connect(str(self.at / "helper.sock"))
        self.answers = self.port.makefile("r")
        self.helper("net")
        self.carrel("exec", "bench", "--", "cp", "/workspace/tools/bench-network-work", "/root/work")
        self.carrel("net", "mode", "bench", "allowlist")
        for server, more in ((self.sides["ours"][1], []), (self.sides["ours"][2], []), (self.ended, ["--field", "method=GET"])):
            for host, what in ((self.name, more), (self.own, [])):
                self.carrel("rules", "add", "--allow", "--high", "--action", "network", "--agent", "bench", "--field", f"host={host}",
                            "--field", f"port={server.port}", *what, "--yes")
        # Programs that are linked for themselves look no name up.
        self.numbers = self.carrel("exec", "bench", "--", "getent", "ahostsv4", self.name).split()[0]

    def measure(self, side, what, *arguments):
        address, plain, _tls = self.sides[side]
        address = self.numbers if side == "ours" else address
        return int(self.carrel("exec", "bench", "--", "/root/work", what, address, str(plain.port), *map(str, arguments))) / 1e9

    def curl(self, address, port, size, count=1):
        url = f"https://{address}:{port}/{size}"
        script = f"for i in $(seq {count}); do curl -sSk -o /dev/null -w '%{{time_total}}\\n' {url} || exit 1; done"
        return [float(each) for each in self.carrel("exec", "bench", "--", "sh", "-c", script).split()]

    def memory(self):
        """What the engine and its clerks hold for themselves, in KiB."""
        total = 0
        for name in ("carrel-engine", "carrel-clerk"):
            for process in self.processes(name): # PSS is nobody's to see: they are closed to others
                for line in (process / "status").read_text().splitlines():
                    total += int(line.split()[1]) if line.startswith("RssAnon:") else 0
        return total

    def idle(self, count):
        _name, plain, _tls = self.sides["ours"]
        before = self.memory()
        holder = subprocess.Popen([self.bin / "carrel", "exec", "bench", "--", "/root/work", "idle", self.numbers, str(plain.port), str(count)],
                                  env={**os.environ, "CARREL_HOME": str(self.home)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if holder.stdout.readline().strip() != "ready":
            raise RuntimeError("the connections did not come about")
        after = self.memory()
        holder.stdin.close()
        holder.wait()
        return (after - before) / count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--idle", type=int, default=400)
    arguments = parser.parse_args()
    arguments.cache = "none"
    if os.getuid() == 0:
        sys.exit("run it as an ordinary user: Carrel refuses to run as root")
    world = World(arguments)
    results = {}

    def note(name, side, value):
        results.setdefault(name, {}).setdefault(side, []).append(value)
        files_bench.say(f"{name}, {side}: {value:.4f}")

    try:
        files_bench.say("starting the machine")
        world.start()
        size = arguments.mib << 20
        for i in range(arguments.repeat):
            for side in ("ours", "peer") if i % 2 == 0 else ("peer", "ours"):
                address, _plain, tls = world.sides[side]
                note("one stream, MiB/s", side, arguments.mib / world.measure(side, "stream", 1, size))
                note("eight streams, MiB/s", side, arguments.mib / world.measure(side, "stream", 8, size // 8))
                note("connections per second", side, 200 / world.measure(side, "connect", 200))
                note("https requests per second", side, 1 / statistics.median(world.curl(world.numbers if side == "ours" else address, tls.port, 100, 10)))
            through = arguments.mib / world.curl(world.name, world.sides["ours"][2].port, size)[0]
            ended = arguments.mib / world.curl(world.name, world.ended.port, size)[0]
            note("TLS ended / passed through, MiB/s", "ours", ended)
            note("TLS ended / passed through, MiB/s", "peer", through)
        idle = world.idle(arguments.idle)
    finally:
        world.end()
    print(f"{'':36}{'ours':>10}{'peer':>10}{'ours/peer':>11}   all of ours | all of the peer's")
    for name, measured in results.items():
        ours, peer = statistics.median(measured["ours"]), statistics.median(measured["peer"])
        every = " | ".join(" ".join(f"{value:.2f}" for value in measured[side]) for side in ("ours", "peer"))
        print(f"{name:36}{ours:10.2f}{peer:10.2f}{ours / peer:11.2f}   {every}")
    print(f"{'memory of an idle connection, KiB':36}{idle:10.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
