#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An installation below a prefix of its own: exactly the files that it should have; it works from there, wherever that is moved
to and through whatever link it is started; and it knows nothing of where it was built.

    test_install.py --cmake CMAKE --build DIR --source DIR --version V [desktop] [pictures] [terminal]

With an image's folder in CARREL_TEST_IMAGE a machine is started, too. Needs libvirt, like all live tests.
"""
import argparse
import fcntl
import gzip
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile

import installed_files

SKIPPED = 77
PATIENCE = 60  # seconds, which no good run comes near


class Failed(Exception):
    pass


def check(good, what):
    if not good:
        raise Failed(what)


class Installation:
    def __init__(self, arguments):
        self.arguments = arguments
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="carrel-install-"))
        self.prefix = os.path.join(self.folder, "first")
        self.home = os.path.join(self.folder, "home")
        os.mkdir(self.home, 0o700)
        self.image = os.environ.get("CARREL_TEST_IMAGE")
        if self.image:
            self.take_image(os.path.realpath(self.image))
        # No word of the build in it: a program that asks its environment for the way there fails.
        self.env = {name: os.environ[name] for name in ("HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR") if name in os.environ}
        self.env.update(CARREL_HOME=self.home, PATH="/usr/bin:/bin:/usr/sbin:/sbin", LANG="C.UTF-8",
                        DBUS_SESSION_BUS_ADDRESS="none:")

    def run(self, *words, program=None, status=0):
        done = subprocess.run([program or os.path.join(self.prefix, "bin/carrel"), *words], env=self.env, cwd="/",
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        check(done.returncode == status, f"{words}: {done.returncode}, not {status}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def answer(self, *words, status=0):
        return json.loads(self.run(*words, "--json", status=status).splitlines()[0])

    def take_image(self, image):
        images = os.path.join(self.home, "images")
        os.mkdir(images, 0o700)
        os.symlink(image, os.path.join(images, os.path.basename(image)))
        with open(os.path.join(images, "default"), "w", encoding="ascii") as file:
            file.write(os.path.basename(image) + "\n")

    def close(self):
        subprocess.run([os.path.join(self.prefix, "bin/carrel"), "engine", "stop"], env=self.env, cwd="/", check=False,
                       capture_output=True)
        if os.path.exists(os.path.join(self.home, "engine.lock")):
            served(self)
        shutil.rmtree(self.folder)


def install(at):
    # Stripped, as a package is: what is left of paths then is what the programs themselves hold.
    done = subprocess.run([at.arguments.cmake, "--install", at.arguments.build, "--prefix", at.prefix, "--strip"],
                          capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stdout + done.stderr)


def exactly_these_files(at):
    wanted = installed_files.expected(at.arguments.source, at.arguments.parts)
    got = installed_files.found(at.prefix)
    problems = [f"missing: {name}" for name in sorted(wanted.keys() - got.keys())]
    problems += [f"nobody named it: {name}" for name in sorted(got.keys() - wanted.keys())]
    problems += [f"{name}: mode {got[name]:o}, not {wanted[name]:o}" for name in sorted(wanted.keys() & got.keys())
                 if got[name] != wanted[name]]
    check(not problems, "\n".join(problems))


def nothing_of_the_build(at):
    for name in installed_files.found(at.prefix):
        with open(os.path.join(at.prefix, name), "rb") as file:
            content = file.read()
        if name.endswith(".gz"):
            content = gzip.decompress(content)
        for path in (at.arguments.source, at.arguments.build):
            check(path.encode() not in content, f"{name} holds the path {path}")


def works(at, program):
    version = at.arguments.version
    check(at.run("--version", program=program).strip() == f"carrel {version}", "--version")
    at.run("list", program=program)  # starts the engine
    wanted = os.path.join(at.prefix, "lib/carrel/carrel-engine")
    running = list(engines(at).values())
    check(running == [wanted], f"engines: {running}, not {wanted}")
    report = at.answer("doctor", status=0 if at.image else 1)
    blockers = [finding["code"] for finding in report["findings"] if finding["severity"] == "blocker"]
    check(blockers == ([] if at.image else ["image-missing"]), json.dumps(report))
    check(os.path.realpath(report["home"]) == os.path.realpath(at.home) and report["version"] == version, json.dumps(report))
    check(at.answer("list")["agents"] == [], "an agent in a new home")
    ends = [os.pidfd_open(pid) for pid in engines(at)]
    at.run("engine", "stop")
    for end in ends:
        check(select.select([end], [], [], PATIENCE)[0], "the engine goes on after stop")
        os.close(end)
    check(not engines(at), "another engine after stop")


def served(at):
    """Waits until nobody serves the home: an engine holds its lock to the end."""
    with open(os.path.join(at.home, "engine.lock"), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def engines(at):
    """What engines of this test are called by, by process. More of them cannot be seen: an engine lets nobody look at it."""
    called = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                program = os.fsdecode(file.read().split(b"\0")[0])
        except OSError:
            continue
        if os.path.basename(program) == "carrel-engine" and program.startswith(at.folder):
            called[int(process)] = program
    return called


def works_through_a_link(at):
    os.makedirs(os.path.join(at.folder, "elsewhere/bin"))
    link = os.path.join(at.folder, "elsewhere/bin/agents")
    os.symlink(os.path.join(at.prefix, "bin/carrel"), link)
    works(at, link)


def works_where_it_is_moved_to(at):
    moved = os.path.join(at.folder, "second place")
    os.rename(at.prefix, moved)
    at.prefix = moved
    works(at, os.path.join(moved, "bin/carrel"))


def has_no_other_recipe(at):
    """Without its recipe it says what is missing where; with one of the build it would go on."""
    recipe = os.path.join(at.prefix, "share/carrel/image")
    os.rename(recipe, recipe + ".away")
    said = at.run("list", status=1)
    os.rename(recipe + ".away", recipe)
    check(os.path.realpath(at.prefix) + "/share/carrel/image" in said, said)


def every_verb_is_in_the_manual(at):
    with gzip.open(os.path.join(at.prefix, "share/man/man1/carrel.1.gz"), "rt", encoding="utf-8") as file:
        page = file.read().replace("\\-", "-")
    documented = re.findall(r"^\.SS \\fBcarrel (.*)\\fR$", page, re.MULTILINE)
    verbs = []

    def look(words):
        text = at.run(*words, "--help")
        usage = re.search(r"^Usage: .*$", text, re.MULTILINE).group()
        if words and not usage.endswith(" SUBCOMMAND"):
            verbs.append(" ".join(words))
        part = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
        for line in part.group(1).splitlines() if part else []:
            if re.match(r"  \S", line):
                look([*words, line.split()[0]])

    look([])
    check(len(verbs) > 30, f"only these verbs: {verbs}")
    check(documented == verbs, f"the manual has {documented}\nthe program has {verbs}")


def starts_a_machine(at):
    papers = os.path.join(at.folder, "papers")
    os.mkdir(papers)
    with open(os.path.join(papers, "monday.txt"), "w", encoding="ascii") as file:
        file.write("milk 1.20\n")
    at.run("create", "desk", "--share", papers)
    try:
        at.run("start", "desk")
        said = at.run("exec", "desk", "--", "cat", "/workspace/papers/monday.txt")
        check(said == "milk 1.20\n", said)
        at.run("exec", "desk", "--", "sh", "-c", "echo tea 3.10 > /workspace/papers/tuesday.txt")
        at.run("apply", "desk", "--yes")
        with open(os.path.join(papers, "tuesday.txt"), encoding="ascii") as file:
            check(file.read() == "tea 3.10\n", "what was applied")
    finally:
        at.run("delete", "desk", "--discard")


def main():
    parser = argparse.ArgumentParser()
    for name in ("cmake", "build", "source", "version"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("parts", nargs="*", choices=("desktop", "pictures", "terminal", []))
    arguments = parser.parse_args()
    if os.geteuid() == 0:
        print("Carrel refuses to run as root, so its tests do too: run them as a user")
        return SKIPPED
    at = Installation(arguments)
    steps = [install, exactly_these_files, nothing_of_the_build, lambda a: works(a, None), works_through_a_link,
             works_where_it_is_moved_to, has_no_other_recipe, every_verb_is_in_the_manual]
    if at.image:
        steps.append(starts_a_machine)
    else:
        print("No image in CARREL_TEST_IMAGE: no machine is started")
    try:
        for step in steps:
            step(at)
    except Failed as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    finally:
        at.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
