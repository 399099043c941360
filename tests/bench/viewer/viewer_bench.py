#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long from `carrel diff` to the text of a document: with no viewer there, with one that is kept warm, and of text that
needs none, which is the floor.

    viewer_bench.py --bin BUILD/bin --image HOME/images/ID [--rounds 9]

An agent writes a new .docx and a new .pdf in each round, so that nothing is remembered. Prints medians, lowest and highest.
Cold: the engine is stopped and started before, which ends the viewer; its own start is not counted.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

DOCUMENTS = pathlib.Path(__file__).resolve().parents[2] / "support" / "documents.py"


class World:
    def __init__(self, bin_folder, image):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="carrel-bench-", dir="/tmp"))
        self.carrel_program = pathlib.Path(bin_folder).resolve() / "carrel"
        images = self.folder / "home" / "images"
        images.mkdir(parents=True)
        (self.folder / "home").chmod(0o700)
        image = pathlib.Path(image).resolve()
        subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", image, images], check=True)
        (images / "default").write_text(image.name + "\n")
        (self.folder / "papers").mkdir()

    def carrel(self, *arguments, text=None):
        ran = subprocess.run([self.carrel_program, *arguments], env={**os.environ, "CARREL_HOME": str(self.folder / "home")},
                             input=text, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            sys.exit(f"carrel {' '.join(arguments)}: {ran.stderr or ran.stdout}")
        return ran.stdout

    def write(self, number):
        self.carrel("exec", "bench", "--", "python3", "-", text=DOCUMENTS.read_text() +
                    f"docx('/workspace/papers/r{number}.docx', ['round {number}, line %d' % i for i in range(200)])\n"
                    f"pdf('/workspace/papers/r{number}.pdf', [['round {number}', 'page %d' % i] for i in range(10)])\n"
                    f"open('/workspace/papers/r{number}.txt', 'w').write('round {number}\\n')\n")

    def diff(self, name):
        began = time.monotonic()
        out = self.carrel("diff", "bench", "papers/" + name)
        took = time.monotonic() - began
        if "+round" not in out:
            sys.exit(f"no text of {name}: {out}")
        return took

    def end(self):
        self.carrel("delete", "bench", "--discard")
        self.carrel("engine", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    if os.getuid() == 0:
        sys.exit("run it as an ordinary user: Carrel refuses to run as root")
    world = World(arguments.bin, arguments.image)
    took = {"cold, docx": [], "warm, docx": [], "warm, pdf": [], "plain text": []}
    try:
        world.carrel("create", "bench", "--share", str(world.folder / "papers"), "--memory", "768")
        world.carrel("start", "bench")
        for number in range(arguments.rounds):
            world.carrel("engine", "stop")
            world.write(2 * number)
            took["plain text"].append(world.diff(f"r{2 * number}.txt"))
            took["cold, docx"].append(world.diff(f"r{2 * number}.docx"))
            world.write(2 * number + 1)
            took["warm, docx"].append(world.diff(f"r{2 * number + 1}.docx"))
            took["warm, pdf"].append(world.diff(f"r{2 * number + 1}.pdf"))
    finally:
        world.end()
    for name, times in took.items():
        print(f"{name:12} median {statistics.median(times):6.2f} s  ({min(times):.2f} … {max(times):.2f}, {len(times)} rounds)")


main()
