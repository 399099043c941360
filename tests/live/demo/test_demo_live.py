#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`carrel demo` in a real machine: staged work leaves the folder as it was; what is applied is what the report
claims, to the cent; undo brings back every byte, mode and time; undoing the undo brings the work again.

    test_demo_live.py BIN     BIN: the folder of carrel and carrel-engine; CARREL_TEST_IMAGE: an image's folder
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RESOURCES = os.path.join(HERE, "..", "..", "..", "resources")
SKIPPED = 77


class Failed(Exception):
    pass


class World:
    """A home of its own, with the image of the test run, and nothing left behind."""

    def __init__(self, programs, image):
        self.carrel = os.path.join(programs, "carrel")
        self.folder = tempfile.mkdtemp(prefix="carrel-demo-")
        self.env = dict(os.environ, CARREL_HOME=os.path.join(self.folder, "home"),
                        DBUS_SESSION_BUS_ADDRESS="none:")
        images = os.path.join(self.folder, "home", "images")
        os.makedirs(images, 0o700)
        os.chmod(os.path.join(self.folder, "home"), 0o700)
        image = os.path.realpath(image)
        os.symlink(image, os.path.join(images, os.path.basename(image)))
        with open(os.path.join(images, "default"), "w", encoding="ascii") as file:
            file.write(os.path.basename(image) + "\n")
        self.sample = os.path.join(self.folder, "sample")
        subprocess.run([sys.executable, os.path.join(RESOURCES, "sample", "make-sample.py"), self.sample], check=True)

    def run(self, *arguments, status=0, stdin=None):
        print("$ carrel " + " ".join(arguments), flush=True)
        done = subprocess.run([self.carrel, *arguments], env=self.env, stdout=subprocess.PIPE,
                              stdin=stdin or subprocess.DEVNULL, check=False)
        if done.returncode != status:
            raise Failed("status %d instead of %d: %s" % (done.returncode, status, done.stdout.decode()))
        return done.stdout.decode()

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json"))

    def check(self, *arguments):
        if subprocess.run([sys.executable, "-B", os.path.join(RESOURCES, "demo", "check.py"), *arguments],
                          check=False).returncode != 0:
            raise Failed("check.py says no")

    def worker(self, share):
        with open(os.path.join(RESOURCES, "demo", "worker.py"), "rb") as script:
            return self.run("exec", "demo", "--cwd", "/workspace/" + share, "--", "python3", "-", stdin=script)

    def close(self):
        for arguments in (["demo", "--clean"], ["engine", "stop"]):
            subprocess.run([self.carrel, *arguments], env=self.env, stdout=subprocess.DEVNULL,
                           stdin=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def expect(what, got, wanted):
    if got != wanted:
        raise Failed("%s: %r instead of %r" % (what, got, wanted))


def main_job(world):
    staged = world.json("demo")
    expect("applied without a word", staged["applied"], None)
    world.check("--same", world.sample, staged["folder"])

    done = world.json("demo", "--yes")
    folder, share = done["folder"], done["share"]
    expect("changes done", done["applied"]["totals"]["done"], done["totals"]["changes"])
    world.check(world.sample, folder)
    world.check("--same", world.sample, staged["folder"])  # of the first run: nobody's any more
    expect("staged after apply", world.json("changes", "demo")["review"], None)
    expect("a second look by the worker", world.worker(share).splitlines()[-1], "done       nothing to do")
    expect("staged after that", world.json("changes", "demo")["review"], None)

    undone = world.json("undo", "demo")
    expect("number of the apply that was taken back", undone["undone"], done["applied"]["apply"])
    world.check("--same", world.sample, folder)
    expect("staged after undo", world.json("changes", "demo")["review"], None)
    redone = world.json("undo", "demo", str(undone["apply"]))
    world.check(world.sample, folder)
    world.run("undo", "demo", str(redone["apply"]))
    world.check("--same", world.sample, folder)
    expect("the worker sees what undo brought back", world.worker(share).splitlines()[-1],
           "done       %d changes" % done["totals"]["changes"])
    world.check("--same", world.sample, folder)

    kinds = {json.loads(line)["kind"] for line in world.run("timeline", "demo", "--json").splitlines()}
    missing = {"share.added", "file.read", "exec.started", "exec.ended", "review.frozen", "apply.decided", "apply.done",
               "undo.decided", "undo.done"} - kinds
    expect("kinds missing in the timeline", missing, set())
    expect("cleaned", world.json("demo", "--clean"), {"cleaned": True})
    expect("agents left", world.json("list")["agents"], [])
    expect("sample folders left", os.path.exists(folder), False)


def main():
    image = os.environ.get("CARREL_TEST_IMAGE", "")
    if os.geteuid() == 0 or not os.path.isfile(os.path.join(image, "base.raw")):
        print("skipped: needs an ordinary user, and an image's folder in CARREL_TEST_IMAGE")
        return SKIPPED
    world = World(sys.argv[1], image)
    try:
        main_job(world)
    except Failed as failure:
        print("FAILED: %s" % failure)
        with open(os.path.join(world.folder, "home", "engine.log"), encoding="utf-8", errors="replace") as log:
            print("engine.log:\n" + log.read()[-4000:])
        return 1
    finally:
        world.close()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
