#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long carrel-desktop takes to its window, the engine running, beside a window of Qt's with a list and a text in it.

    start_bench.py --bin BUILD/bin --plain BUILD/tests/bench-plain-window [--rounds 10]

Until the window manager lists the window. Prints medians with lowest and highest, and the ratio. Needs: Xvfb, openbox, xprop.
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


def start(command, environment):
    """Seconds until it has a window."""
    with subprocess.Popen(["xprop", "-root", "-spy", "_NET_CLIENT_LIST"], env=environment, stdout=subprocess.PIPE, text=True) as spy:
        spy.stdout.readline()  # how it is now
        began = time.monotonic()
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
            while "0x" not in (line := spy.stdout.readline()):
                if not line:
                    sys.exit("xprop ended")
            took = time.monotonic() - began
            program.terminate()
        while "0x" in spy.stdout.readline():
            pass
        spy.terminate()
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--plain", required=True)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    programs = pathlib.Path(arguments.bin).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="carrel-bench-", dir="/tmp"))
    home = folder / "home"
    home.mkdir(mode=0o700)
    environment = {**os.environ, "CARREL_HOME": str(home), "XDG_CONFIG_HOME": str(folder / "config"), "QT_QPA_PLATFORM": "xcb",
                   "DBUS_SESSION_BUS_ADDRESS": "none:"}
    reading, writing = os.pipe()
    display = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1400x900x24", "-nolisten", "tcp"], pass_fds=[writing],
                               stderr=subprocess.DEVNULL)
    os.close(writing)
    environment["DISPLAY"] = ":" + os.read(reading, 16).decode().strip()
    manager = subprocess.Popen(["openbox"], env=environment, stderr=subprocess.DEVNULL)
    try:
        subprocess.run([programs / "carrel", "list"], env=environment, check=True, stdout=subprocess.DEVNULL)
        ours, plain = [], []
        for number in range(arguments.rounds + 1):
            least = start([arguments.plain], environment)
            own = start([programs / "carrel-desktop"], environment)
            if number > 0:  # the first fills the caches
                plain.append(least)
                ours.append(own)
        print("| | ours | a plain window | ratio |\n|---|---|---|---|")
        print(f"| start, s | {statistics.median(ours):.3f} ({min(ours):.3f} … {max(ours):.3f}) | "
              f"{statistics.median(plain):.3f} ({min(plain):.3f} … {max(plain):.3f}) | {statistics.median(ours) / statistics.median(plain):.2f} |")
    finally:
        subprocess.run([programs / "carrel", "engine", "stop"], env=environment, check=False, stdout=subprocess.DEVNULL)
        for process in (manager, display):
            process.terminate()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
