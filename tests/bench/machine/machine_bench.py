#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An agent's machine beside a bare one: how long a start takes, a command, and what it costs while nothing happens.

    machine_bench.py --bin BUILD/bin --image HOME/images/ID [--rounds 5] [--idle 60] [--starts 0]

The bare one, in the same run: QEMU on the stock kernel (bzImage) of the image with an init of busybox and nothing else, of as much
memory and as many processors. Prints medians with lowest and highest, and ours divided by the bare one's.

  start   `carrel start` until the agent's account can be used; bare: until the first byte of its init
  exec    `carrel exec NAME -- true`, the whole command; bare: a line there, fork and exec of true by a shell that runs already, and
          a line back, over a session that is open
  idle    processor time and memory (PSS) of the machine, its engine and its clerks together over --idle seconds; bare: of QEMU
  starts  so many starts and stops in a row: none may fail, and nothing may grow (descriptors, threads, memory and files of the engine)

Needs: busybox (static), qemu-system-x86_64.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MEMORY = 1024
CPUS = 2


class World:
    def __init__(self, bin_folder, image):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="carrel-bench-", dir="/tmp"))
        self.home = self.folder / "home"
        self.program = pathlib.Path(bin_folder).resolve() / "carrel"
        self.image = pathlib.Path(image).resolve()
        (self.home / "images").mkdir(parents=True)
        self.home.chmod(0o700)
        subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", self.image, self.home / "images"], check=True)
        (self.home / "images" / "default").write_text(self.image.name + "\n")
        (self.folder / "papers").mkdir()

    def carrel(self, *arguments):
        ran = subprocess.run([self.program, *arguments], env={**os.environ, "CARREL_HOME": str(self.home)},
                             capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            sys.exit(f"carrel {' '.join(arguments)}: {ran.stderr or ran.stdout}")
        return ran.stdout

    def timed(self, *arguments):
        began = time.monotonic()
        self.carrel(*arguments)
        return time.monotonic() - began

    def engine(self):
        return json.loads(self.carrel("engine", "info", "--json"))["pid"]

    def processes(self):
        """The engine, its clerks, and the machine, which is found by the home's path."""
        engine = self.engine()
        out = [engine]
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if parent_of(int(entry.name)) == engine or (b"qemu" in command and str(self.home).encode() in command):
                out.append(int(entry.name))
        return out

    def end(self):
        self.carrel("delete", "bench", "--discard")
        self.carrel("engine", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def parent_of(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return -1


def processor_seconds(pid):
    """Of all its threads (proc_pid_schedstat(5)): the ticks of stat are too coarse for what idles."""
    total = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(thread.read_text().split()[0])
        except OSError:
            pass
    return total / 1e9


def memory_mib(pid):
    """Proportional set size; of a jailed process that cannot be looked into, its resident size."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    try:
        return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def parts_of(pid):
    """Of QEMU's memory: the machine's own, what the emulator translated, files (all machines share them), the rest. In MiB."""
    parts = dict.fromkeys(("the machine's own", "translated code", "files", "the rest"), 0.0)
    kind = ""
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and ":" not in words[0]:
            begin, end = (int(word, 16) for word in words[0].split("-"))
            kind = ("the machine's own" if end - begin == MEMORY << 20 else "translated code" if words[1].startswith("rwx")
                    else "files" if len(words) > 5 and words[5].startswith("/") else "the rest")
        elif words[0] == "Pss:":
            parts[kind] += int(words[1]) / 1024
    return ", ".join(f"{name} {value:.0f}" for name, value in parts.items())


class Bare:
    """QEMU, the stock kernel, busybox."""

    def __init__(self, world):
        root = world.folder / "bare"
        (root / "bin").mkdir(parents=True)
        (root / "dev").mkdir()
        busybox = shutil.which("busybox")
        if busybox is None:
            sys.exit("busybox is missing")
        shutil.copy(busybox, root / "bin" / "busybox")
        (root / "init").write_text("#!/bin/busybox sh\n/bin/busybox echo up > /dev/console\nexec /bin/busybox sleep 1000000\n")
        (root / "init").chmod(0o755)
        self.initrd = world.folder / "bare.cpio"
        names = subprocess.run(["find", "."], cwd=root, capture_output=True, check=True).stdout
        with open(self.initrd, "wb") as out:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=out, check=True)
        self.kernel = world.image / "vmlinuz"

    def boot(self):
        """(the process, seconds until its first byte)"""
        command = ["qemu-system-x86_64", "-machine", "q35,accel=tcg,hpet=off", "-cpu", "max", "-m", str(MEMORY), "-smp", str(CPUS),
                   "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-kernel", str(self.kernel), "-initrd",
                   str(self.initrd), "-append", "console=ttyS0 quiet loglevel=0 mitigations=off rdinit=/init"]
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        said = b""
        while b"up" not in said:
            more = os.read(process.stdout.fileno(), 4096)
            if not more:
                sys.exit("the bare machine ended: " + said.decode(errors="replace"))
            said += more
        return process, time.monotonic() - began


def row(name, ours, bare, aim=""):
    def figure(values):
        return f"{statistics.median(values):.3g} ({min(values):.3g} … {max(values):.3g})"
    ratio = statistics.median(ours) / statistics.median(bare) if bare and statistics.median(bare) > 0 else float("nan")
    print(f"| {name} | {figure(ours)} | {figure(bare) if bare else '-'} | {ratio:.2f} | {aim} |", flush=True)


def execs(world, count):
    """Ours and the least that it could take, in turns."""
    with subprocess.Popen([world.program, "exec", "bench", "--", "sh", "-c", "while read line; do /bin/true; echo done; done"],
                          env={**os.environ, "CARREL_HOME": str(world.home)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        def one():
            began = time.monotonic()
            shell.stdin.write(b"go\n")
            shell.stdin.flush()
            if shell.stdout.readline() != b"done\n":
                sys.exit("the shell in the machine ended")
            return time.monotonic() - began
        for _ in range(3):
            one()
            world.timed("exec", "bench", "--", "true")
        ours, least = [], []
        for _ in range(count):
            least.append(one())
            ours.append(world.timed("exec", "bench", "--", "true"))
        shell.stdin.close()
    return ours, least


def idle(pids, seconds):
    before = sum(processor_seconds(pid) for pid in pids)
    time.sleep(seconds)  # the span that is measured
    return (sum(processor_seconds(pid) for pid in pids) - before) / seconds * 100, sum(memory_mib(pid) for pid in pids)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=float, default=60)
    parser.add_argument("--starts", type=int, default=0)
    arguments = parser.parse_args()
    if os.getuid() == 0:
        sys.exit("run it as an ordinary user: Carrel refuses to run as root")
    world = World(arguments.bin, arguments.image)
    bare = Bare(world)
    try:
        world.carrel("create", "bench", "--share", str(world.folder / "papers"), "--memory", str(MEMORY), "--cpus", str(CPUS))
        world.carrel("start", "bench")  # finds out how machines run here, and remembers it
        world.carrel("stop", "bench")
        print("| | ours | bare | ratio | aim |\n|---|---|---|---|---|")
        ours, floor = [], []
        for _ in range(arguments.rounds):
            process, took = bare.boot()
            process.kill()
            process.wait()
            floor.append(took)
            ours.append(world.timed("start", "bench"))
            world.carrel("stop", "bench")
        row("start, s", ours, floor, "1.0")
        world.carrel("start", "bench")
        row("exec of true, s", *execs(world, 4 * arguments.rounds))
        if arguments.idle > 0:
            time.sleep(10)  # what a start leaves behind is over
            load, memory = idle(world.processes(), arguments.idle)
            parts = parts_of(next(pid for pid in world.processes() if b"qemu" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()))
            world.carrel("stop", "bench")
            process, _ = bare.boot()
            time.sleep(10)
            bare_load, bare_memory = idle([process.pid], arguments.idle)
            bare_parts = parts_of(process.pid)
            process.kill()
            process.wait()
            row("idle, % of a processor", [load], [bare_load], "1.1")
            row("idle, MiB", [memory], [bare_memory], "1.1")
            print(f"\nOf QEMU's memory, MiB: ours {parts}; bare {bare_parts}")
        else:
            world.carrel("stop", "bench")
        if arguments.starts > 0:
            engine = world.engine()

            def state():  # of a process that lets nobody look into it
                status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{engine}/status").read_text().splitlines())
                return (int(status["FDSize"]), int(status["Threads"]), memory_mib(engine), sum(1 for _ in world.home.rglob("*")))
            world.carrel("start", "bench")
            world.carrel("stop", "bench")
            before = state()
            for number in range(arguments.starts):
                world.carrel("start", "bench")
                world.carrel("stop", "bench")
                if (number + 1) % 20 == 0:
                    print(f"{number + 1} starts", file=sys.stderr, flush=True)
            after = state()
            print(f"\n{arguments.starts} starts and stops: none failed. The engine before and after: room for {before[0]} and {after[0]} "
                  f"descriptors, {before[1]} and {after[1]} threads, {before[2]:.1f} and {after[2]:.1f} MiB; {before[3]} and {after[3]} files in "
                  f"its folder.")
    finally:
        world.end()


if __name__ == "__main__":
    main()
