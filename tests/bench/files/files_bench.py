#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Carrel's shared folder against virtiofsd's, in the same machine, in the same run.

    files_bench.py --bin BUILD/bin --image HOME/images/ID [--repeat 3] [--only read,scan,small,modify,git]

Each repetition has trees of its own, on both sides, that nobody has looked at before: "cold" is the first time after the
machine's caches were dropped (for Carrel that includes writing down every first read), "warm" is at once again. The order of
the two sides alternates. Prints the median of each and the ratio peer ÷ ours: above 1, Carrel is faster. Run as an ordinary
user with subordinate ids (/etc/subuid); needs Debian's virtiofsd (qemu-system-common) and the modules of the image's kernel.
"""
import argparse
import ctypes
import json
import os
import pathlib
import pwd
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile

VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
HELPER = pathlib.Path(__file__).resolve().parents[2] / "support/guest_helper"
AGENT_UID = 100000  # who the agent's root is in the machine
LONG_AGO = 1_500_000_000
SMALL_FILES, FOLDERS = 5000, 50
BIG_BYTES = 256 << 20
PROGRAMS = ["carrel", "carrel-engine", "carrel-clerk", "carrel-init", "carrel-guestd", "carrel-ask", "carrel-agent"]
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000


def say(text):
    print(text, file=sys.stderr, flush=True)


def sub_ids(kind):
    user = pwd.getpwuid(os.getuid()).pw_name
    for line in open(f"/etc/{kind}"):
        name, first, _count = line.strip().split(":")
        if name in (user, str(os.getuid())):
            return int(first)
    sys.exit(f"no subordinate ids for {user} in /etc/{kind}")


def start_virtiofsd(folder, sock, cache):
    """Root of a user namespace in which the agent's uid of the machine is this user."""
    # A listening socket of ours: for one of its own it locks a file in /var/run.
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(sock))
    listening.listen(1)
    listening.set_inheritable(True)
    unshared_r, unshared_w = os.pipe()
    mapped_r, mapped_w = os.pipe()
    child = os.fork()
    if child == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
            os._exit(1)
        os.write(unshared_w, b"x")
        os.read(mapped_r, 1)
        os.setgroups([])
        os.setgid(0)
        os.setuid(0)
        log = os.open(str(sock) + ".log", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # it holds one for each file that the machine knows
        os.execv(VIRTIOFSD, [VIRTIOFSD, "--rlimit-nofile=0", f"--fd={listening.fileno()}", "-o", f"source={folder}", "-o", f"cache={cache}",
                             "-o", "sandbox=chroot"])
    os.read(unshared_r, 1)
    for tool, kind, mine in (("newuidmap", "subuid", os.getuid()), ("newgidmap", "subgid", os.getgid())):
        subprocess.run([tool, str(child), "0", str(sub_ids(kind)), "1", str(AGENT_UID), str(mine), "1"], check=True)
    os.write(mapped_w, b"x")
    listening.close()
    return child


def age(folder):
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            os.utime(os.path.join(root, name), (LONG_AGO, LONG_AGO), follow_symlinks=False)
    os.utime(folder, (LONG_AGO, LONG_AGO))


def small_tree(folder, seed):
    source = random.Random(seed)
    for i in range(SMALL_FILES):
        where = folder / f"folder {i % FOLDERS:02}"
        where.mkdir(parents=True, exist_ok=True)
        (where / f"file {i:04}.txt").write_bytes(source.randbytes(source.choice((300, 1500, 4000, 12000))))


def repository(folder, seed):
    small_tree(folder, seed)
    for arguments in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=n@localhost", "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)


def big_file(file, seed):
    source = random.Random(seed)
    with open(file, "wb") as out:
        for _ in range(BIG_BYTES >> 20):
            out.write(source.randbytes(1 << 20))


def helper_initrd(at, release, binaries, modules):
    """With the modules of the image's kernel that are named, loaded in that order ("fs/fuse/fuse.ko")."""
    tree = at / "initrd-tree"
    (tree / "helper/modules").mkdir(parents=True)
    shutil.copy(binaries / "guest-helper-init", tree / "helper/init")
    names = ["helper", "helper/init", "helper/modules"]
    for i, module in enumerate(modules):
        found = pathlib.Path(f"/lib/modules/{release}/kernel") / module
        unpacked = at / f"kernel/lib/modules/{release}/kernel" / module
        if not found.exists() and not unpacked.exists():
            subprocess.run(["apt-get", "download", f"linux-image-{release}"], cwd=at, check=True)
            package = next(at.glob("linux-image-*.deb"))
            subprocess.run(["dpkg-deb", "-x", str(package), str(at / "kernel")], check=True)
        names.append(f"helper/modules/{i}-{found.name}")
        shutil.copy(found if found.exists() else unpacked, tree / names[-1])
    packed = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], input="\n".join(names).encode(), cwd=tree, check=True,
                            capture_output=True).stdout
    # The kernel unpacks one archive after another; between them zeros up to four bytes.
    (at / "helper.cpio").write_bytes(b"\0" * 512 + packed)
    return at / "helper.cpio"


class World:
    def __init__(self, arguments, peer=True):
        self.with_peer = peer
        self.at = pathlib.Path(tempfile.mkdtemp(prefix="carrel-bench-", dir="/tmp"))
        self.binaries = pathlib.Path(arguments.bin).resolve()
        self.home = self.at / "home"
        self.bin = self.at / "bin"
        self.ours, self.peer = self.at / "ours", self.at / "peer"
        self.daemon = 0
        for folder in (self.bin, self.ours, self.peer):
            folder.mkdir()
        (self.home / "images").mkdir(parents=True)
        self.home.chmod(0o700)
        image = pathlib.Path(arguments.image).resolve()
        subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", str(image), str(self.home / "images")], check=True)
        (self.home / "images/default").write_text(image.name + "\n")
        for program in PROGRAMS:
            shutil.copy(self.binaries / program, self.bin)
        (self.at / "share").symlink_to(self.binaries.parent / "share")
        self.cache = arguments.cache
        if not peer:
            shutil.copy(self.binaries / "carrel-qemu", self.bin)
            return
        shutil.copy(HELPER / "qemu-with-helper.sh", self.bin / "carrel-qemu")
        initrd = helper_initrd(self.at, (image / "kernel.release").read_text().strip(), self.binaries,
                               ["fs/fuse/fuse.ko", "fs/fuse/virtiofs.ko"])
        (self.bin / "helper.conf").write_text(
            f"socket={self.at}/peer.sock\nport={self.at}/helper.sock\ninitrd={initrd}\n")

    def carrel(self, *arguments):
        done = subprocess.run([self.bin / "carrel", *arguments], env={**os.environ, "CARREL_HOME": str(self.home), "DBUS_SESSION_BUS_ADDRESS": "none:"},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise RuntimeError(f"carrel {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        tools = self.at / "tools"
        tools.mkdir()
        shutil.copy(self.binaries / "bench-files-work", tools)
        if self.with_peer:
            self.daemon = start_virtiofsd(self.peer, self.at / "peer.sock", self.cache)
        self.carrel("create", "bench")
        self.carrel("share", "add", "bench", str(self.ours))
        self.carrel("share", "add", "bench", f"{tools}:read-only")
        self.carrel("start", "bench")
        if self.with_peer:
            self.port = socket.socket(socket.AF_UNIX)
            self.port.connect(str(self.at / "helper.sock"))
            self.answers = self.port.makefile("r")
            self.helper("mount")
        self.carrel("exec", "bench", "--", "cp", "/workspace/tools/bench-files-work", "/root/work")

    def ask(self, line):
        self.port.sendall(line.encode() + b"\n")
        return self.answers.readline().strip()

    def processor_times(self):
        """Seconds used so far: the machine's user, system, guestd's user, system; then QEMU, clerk, engine on the host."""
        times = [int(each) / 100 for each in self.ask("cpu").split()]
        for name in ("qemu-system", "carrel-clerk", "carrel-engine"):
            fields = [(each / "stat").read_text().rsplit(")", 1)[1].split() for each in self.processes(name)]
            times.append(sum(int(each[11]) + int(each[12]) for each in fields) / 100)
        return times

    def processes(self, name):
        """Those of this run: with its folder in their command line, or in that of their parent (the clerk's is bare)."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                parent = (process / "stat").read_text().rsplit(")", 1)[1].split()[1]
                near = command + pathlib.Path("/proc", parent, "cmdline").read_bytes()
                if name.encode() in command.split(b"\0")[0] and str(self.at).encode() in near:
                    found.append(process)
            except OSError:
                pass
        return found

    def helper(self, line):
        answer = self.ask(line)
        if answer != "ok":
            raise RuntimeError(f"the helper says to {line}: {answer}")

    def work(self, *arguments):
        took, seen = self.carrel("exec", "bench", "--", "/root/work", *arguments).split()
        return int(took) / 1e9, int(seen)

    def end(self):
        for arguments in (["delete", "bench", "--discard"], ["engine", "stop"]):
            try:
                self.carrel(*arguments)
            except RuntimeError as error:
                say(str(error))
        if self.daemon:
            try:
                os.kill(self.daemon, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.waitpid(self.daemon, 0)
        shutil.rmtree(self.at, ignore_errors=True)


# Each: what is prepared in a folder of a repetition's own, and the measured steps (name, cold or warm, work).
KINDS = {
    "read": (lambda at, i: big_file(at / f"big{i}", i),
             [("sequential read of 256 MiB", "cold", lambda at, i: ("read", f"{at}/big{i}")),
              ("sequential read of 256 MiB", "warm", lambda at, i: ("read", f"{at}/big{i}"))]),
    "scan": (lambda at, i: small_tree(at / f"scan{i}", i),
             [("scan of 5,000 files", "cold", lambda at, i: ("scan", f"{at}/scan{i}")),
              ("scan of 5,000 files", "warm", lambda at, i: ("scan", f"{at}/scan{i}"))]),
    "small": (lambda at, i: small_tree(at / f"small{i}", i),
              [("read of 5,000 small files", "cold", lambda at, i: ("readall", f"{at}/small{i}")),
               ("read of 5,000 small files", "warm", lambda at, i: ("readall", f"{at}/small{i}"))]),
    "modify": (lambda at, i: small_tree(at / f"modify{i}", i),
               [("modify 500 files", "cold", lambda at, i: ("modify", f"{at}/modify{i}", "500"))]),
    "git": (lambda at, i: repository(at / f"git{i}", i),
            [("git status of 5,000 files", "cold",
              lambda at, i: ("run", f"{at}/git{i}", "git", "-c", "safe.directory=*", "status", "--porcelain")),
             ("git status of 5,000 files", "warm",
              lambda at, i: ("run", f"{at}/git{i}", "git", "-c", "safe.directory=*", "status", "--porcelain"))]),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--cpu", action="store_true", help="say where processor time went")
    parser.add_argument("--cache", default="auto", choices=["none", "auto", "always"])
    arguments = parser.parse_args()
    if os.getuid() == 0:
        sys.exit("run it as an ordinary user: Carrel refuses to run as root")
    kinds = [kind for kind in KINDS if kind in arguments.only.split(",")]
    world = World(arguments)
    results = {}
    try:
        say("preparing the folders")
        for kind in kinds:
            for i in range(arguments.repeat):
                KINDS[kind][0](world.ours, i)
        age(world.ours)
        subprocess.run(["cp", "-a", f"{world.ours}/.", str(world.peer)], check=True)
        say("starting the machine")
        world.start()
        sides = [("ours", "/workspace/ours"), ("peer", "/workspace/peer")]
        for kind in kinds:
            for i in range(arguments.repeat):
                for side, at in sides if i % 2 == 0 else sides[::-1]:
                    for name, heat, work in KINDS[kind][1]:
                        if heat == "cold":
                            world.helper("drop")
                        before = world.processor_times() if arguments.cpu else []
                        took, seen = world.work(*work(at, i))
                        if arguments.cpu:
                            used = [b - a for a, b in zip(before, world.processor_times())]
                            say("  machine user %.2f system %.2f, guestd %.2f %.2f; qemu %.2f clerk %.2f engine %.2f" % tuple(used))
                        results.setdefault((name, heat), {}).setdefault(side, []).append((took, seen))
                        say(f"{name}, {heat}, {side}: {took:.3f} s")
    finally:
        world.end()
    print(f"{'':32}{'ours':>10}{'peer':>10}{'peer/ours':>11}   all of ours | all of the peer's (s)")
    for (name, heat), measured in results.items():
        if {seen for _t, seen in measured["ours"]} != {seen for _t, seen in measured["peer"]}:
            print(f"{name}, {heat}: the two sides did not see the same", file=sys.stderr)
        times = {side: [took for took, _seen in each] for side, each in measured.items()}
        ours, peer = statistics.median(times["ours"]), statistics.median(times["peer"])
        every = " | ".join(" ".join(f"{took:.3f}" for took in times[side]) for side in ("ours", "peer"))
        print(f"{name + ', ' + heat:32}{ours:10.3f}{peer:10.3f}{peer / ours:11.2f}   {every}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
