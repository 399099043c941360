#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A share of a million files: how long until its machine is ready, and what the clerk takes.

    million_bench.py --bin BUILD/bin --image HOME/images/ID [--files 1000000]

The same machine is started with an empty share and with the large one; then everything in the large one is listed and looked
at twice. No peer: its daemon ends with each machine.
"""
import argparse
import os
import statistics
import sys
import time

from files_bench import World, say

NAMES_IN_A_FOLDER = 1000


def fill(folder, files):
    for number in range(files):
        if number % NAMES_IN_A_FOLDER == 0:
            below = folder / f"{number // NAMES_IN_A_FOLDER:04}"
            below.mkdir(parents=True)
        os.close(os.open(below / f"file {number:07}", os.O_CREAT | os.O_WRONLY, 0o644))


def clerk_memory(world):
    """MiB: resident now, and at most so far; of the newest clerk of this run."""
    newest = max(world.processes("carrel-clerk"), key=lambda process: int(process.name))
    lines = dict(line.split(":", 1) for line in (newest / "status").read_text().splitlines() if ":" in line)
    return tuple(int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--cache", default="auto", choices=["none", "auto", "always"])
    arguments = parser.parse_args()
    if os.getuid() == 0:
        sys.exit("run it as an ordinary user: Carrel refuses to run as root")
    world = World(arguments, peer=False)
    try:
        world.start()
        empty = clerk_memory(world)
        starts = {"empty share": [], "large share": []}

        def start_again(which):
            world.carrel("stop", "bench")
            begin = time.monotonic()
            world.carrel("start", "bench")
            starts[which].append(time.monotonic() - begin)

        for _ in range(3):
            start_again("empty share")
        say(f"making {arguments.files} files")
        fill(world.ours / "many", arguments.files)
        for _ in range(3):
            start_again("large share")
        after_start = clerk_memory(world)
        world.carrel("exec", "bench", "--", "cp", "/workspace/tools/bench-files-work", "/root/work")
        scans = [world.work("scan", "/workspace/ours/many")[0] for _heat in ("cold", "warm")]
        after_scan = clerk_memory(world)
        for which, times in starts.items():
            print(f"start to ready, {which}: {statistics.median(times):.1f} s   ({' '.join(f'{t:.1f}' for t in times)})")
        ratio = statistics.median(starts["large share"]) / statistics.median(starts["empty share"])
        print(f"large ÷ empty: {ratio:.2f}")
        print(f"scan of {arguments.files} files, cold: {scans[0]:.1f} s, again: {scans[1]:.1f} s")
        print(f"the clerk's memory (MiB, now and at most): empty share {empty[0]:.0f} {empty[1]:.0f}; large one after the start "
              f"{after_start[0]:.0f} {after_start[1]:.0f}, after the scan {after_scan[0]:.0f} {after_scan[1]:.0f}")
    finally:
        world.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
