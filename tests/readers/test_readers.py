#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `carrel export` writes, read by programs that are not ours: asciinema, asciinema-player and Chromium.

    test_readers.py CLASS     runs one class; exits 77 where it is run as root, which Carrel refuses

asciinema-player comes from the registry of npm, by the npm that is installed: where that cannot be reached, the test says so and fails.
With CARREL_READERS_PICTURES=FOLDER the page is drawn into files there.
"""
import hashlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from chromium import Chromium

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
BIN = os.environ.get("CARREL_BIN_DIR", "")
KEPT = os.environ.get("CARREL_READERS_DIR", "")  # what was fetched
PLAYER = "asciinema-player@3.18.0"
PICTURES = os.environ.get("CARREL_READERS_PICTURES")
NASTY = "<img src=x onerror=\"document.title='taken'\"></script><script>document.title='taken'</script>"


def need(program):
    assert shutil.which(program), f"{program} is not installed: packages_test in installers/linux/lib.sh names it"
    return program


class Session(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.log = os.path.join(cls.folder.name, "desk.db")
        subprocess.run([os.path.join(BIN, "make-session"), cls.log], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def export(self, form, name, *more):
        subprocess.run([os.path.join(BIN, "carrel"), "export", self.log, "--format", form, "--output", self.path(name), "--force", *more],
                       check=True, stdout=subprocess.DEVNULL)
        return self.path(name)

    def environment(self):
        return dict(os.environ, HOME=self.folder.name, LANG="C.UTF-8", TERM="xterm-256color")


class TestAsciinema(Session):
    """Version 2, by asciinema 2.2."""

    def shown(self, file):
        with open(file, encoding="utf-8") as cast:
            lines = [json.loads(line) for line in cast]
        return lines[0], "".join(text for _, code, text in lines[1:] if code == "o")

    def asciinema(self, *arguments, output=None):
        """At a terminal of its own, which it asks for. Its status, and what it wrote there; into a file, where one is named."""
        program = shutil.which(need("asciinema"))
        child, terminal = pty.fork()
        if child == 0:
            if output:
                os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
            os.execve(program, ["asciinema", *arguments], self.environment())
        out = b""
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the terminal's other end is closed
                break
            if not piece:
                break
            out += piece
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(terminal)
        return status, out.decode("utf-8", "replace")

    def test_cat(self):
        file = self.export("asciicast2", "v2.cast", "--recording", "1")
        header, text = self.shown(file)
        self.assertEqual((header["version"], header["width"], header["height"]), (2, 80, 24))
        self.assertIn("LAST SCREEN", text)
        status, said = self.asciinema("cat", file, output=self.path("shown"))
        self.assertEqual(status, 0, said)
        with open(self.path("shown"), "rb") as shown:
            self.assertEqual(shown.read().decode(), text)

    def test_play(self):
        file = self.export("asciicast2", "v2.cast", "--recording", "1")
        _, text = self.shown(file)
        status, said = self.asciinema("play", "-s", "1000", file)
        self.assertEqual(status, 0, said)
        self.assertIn(text.replace("\r\n", "\n"), said.replace("\r\r\n", "\n").replace("\r\n", "\n"))

    def test_whatIsNoCastIsRefusedByIt(self):
        """So that the two before mean something."""
        with open(self.path("bad.cast"), "w", encoding="utf-8") as bad:
            bad.write('{"version": 9}\n')
        status, said = self.asciinema("cat", self.path("bad.cast"))
        self.assertEqual(status, 1)
        self.assertIn("failed", said)


class TestAsciinemaPlayer(Session):
    """Version 3, by asciinema-player."""

    def bundle(self):
        folder = os.path.join(KEPT or self.folder.name, "player")
        bundle = os.path.join(folder, "node_modules", "asciinema-player", "dist", "bundle")
        if not os.path.exists(os.path.join(bundle, "asciinema-player.min.js")):
            os.makedirs(folder, exist_ok=True)
            environment = dict(os.environ)
            system = "/etc/ssl/certs/ca-certificates.crt"  # whom this computer trusts, npm does too
            if os.path.exists(system):
                environment.setdefault("NODE_EXTRA_CA_CERTS", system)
            done = subprocess.run([need("npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, PLAYER],
                                  env=environment, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, f"{PLAYER} could not be fetched by npm:\n{done.stderr[-2000:]}")
        return bundle

    def play(self, browser, cast):
        bundle = self.bundle()
        data = json.dumps(cast).replace("<", "\\u003c")
        with open(self.path("play.html"), "w", encoding="utf-8") as page:
            page.write(f"""<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="file://{bundle}/asciinema-player.css"><div id="at"></div>
<script src="file://{bundle}/asciinema-player.min.js"></script><script>
const player = AsciinemaPlayer.create({{data: {data}}}, document.getElementById('at'), {{autoPlay: true, speed: 500, fit: false, terminalFontSize: '14px'}});
window.ended = new Promise((done) => player.addEventListener('ended', () => done('ended')));
window.broken = new Promise((done) => player.addEventListener('error', (event) => done('error: ' + JSON.stringify(event))));
</script>""")
        browser.open(self.path("play.html"))
        return browser.value("Promise.race([ended, broken])")

    def test_itPlaysToItsEnd(self):
        with open(self.export("asciicast3", "v3.cast", "--recording", "1"), encoding="utf-8") as file:
            cast = file.read()
        self.assertEqual(json.loads(cast.split("\n")[0])["version"], 3)
        with Chromium() as browser:
            self.assertEqual(self.play(browser, cast), "ended")
            browser.wait("document.querySelector('.ap-term').textContent.includes('LAST SCREEN')")
            text = browser.value("document.querySelector('.ap-term').textContent")
            for words in ("LAST SCREEN", "完了", "the end"):
                self.assertIn(words, re.sub(r"(?<=[完了])\s+(?=[完了])", "", text))
            self.assertNotIn("IN THE EDITOR", text)
            if PICTURES:
                browser.picture(os.path.join(PICTURES, "asciinema-player.png"))


class TestPage(Session):
    """The page, by Chromium."""

    def rows(self, browser):
        return [row.rstrip() for row in browser.value("[...document.querySelectorAll('#screen .row')].map((row) => row.textContent)")]

    def seek(self, browser, seconds):
        browser.value(f"{{ const slider = document.getElementById('slider'); slider.value = {seconds * 1000}; slider.dispatchEvent(new Event('input')); true }}")

    def test_itIsQuietAndComplete(self):
        file = self.export("html", "desk.html")
        with Chromium() as browser:
            browser.open(file)
            self.assertEqual(browser.value("document.getElementById('agent').textContent"), "desk")
            self.assertEqual(browser.value("document.querySelectorAll('#events .event').length"), 19)
            if PICTURES:
                self.pictures(browser)
            # The text of a machine is text.
            self.assertTrue(browser.value(f"[...document.querySelectorAll('.subject')].some((each) => each.textContent === {json.dumps(NASTY)})"))
            self.assertEqual(browser.value("document.querySelectorAll('img, iframe, object, embed, link, script[src]').length"), 0)
            self.assertEqual(browser.value("document.title"), "desk – Carrel")
            self.assertEqual(browser.watched(), [])
            self.assertEqual(browser.requests, ["file://" + file])

    def test_whoSawItNeverLooksAlike(self):
        with Chromium() as browser:
            browser.open(self.export("html", "desk.html"))
            looks = """(() => { const of = (name) => { const mark = document.querySelector(`.event.${name} .mark`), style = getComputedStyle(mark);
                return [mark.textContent, style.borderTopStyle, style.borderTopColor, style.fontStyle, style.color, getComputedStyle(mark, '::before').content]; };
                return [of('host'), of('guest')]; })()"""
            host, guest = browser.value(looks)
            self.assertEqual((host[0], guest[0]), ("seen by Carrel", "the machine says"))
            for ours, theirs in zip(host, guest):
                self.assertNotEqual(ours, theirs)
            self.assertEqual(browser.value("document.querySelectorAll('.event.guest').length"), 3)

    def test_itPlaysAndSeeks(self):
        with Chromium() as browser:
            browser.open(self.export("html", "desk.html"))
            browser.value("{ document.getElementById('speed').value = '64'; document.getElementById('begin').click(); true }")
            browser.wait("document.getElementById('status').textContent === 'Played to the end.'")
            last = self.rows(browser)
            self.assertEqual(len(last), 16)
            self.assertEqual(last[:2], ["LAST SCREEN", "完了 ok"])
            self.assertEqual(last[9], " " * 49 + "the end")
            self.seek(browser, 5)
            rows = self.rows(browser)
            self.assertEqual(len(rows), 24)
            self.assertEqual(rows[0], "ada@desk:~/papers$ ls --color")
            self.assertEqual(rows[1], "receipts  report.md  漢字.txt  naïve café")
            self.assertEqual(rows[3], "FIRST SCREEN")
            self.seek(browser, 13)
            rows = self.rows(browser)
            self.assertEqual(rows[:5], ["  editor", "", "    ┌───┐", "    │box│", "    └───┘"])
            self.assertEqual(rows[7:12], ["line 6", "line 7", "line 8", "line 9", ""])
            self.assertEqual(rows[19], "IN THE EDITOR")
            self.seek(browser, 30)
            rows = self.rows(browser)
            self.assertEqual(rows[22], "line 40")
            self.assertEqual(browser.value("document.title"), "desk – Carrel")
            self.assertEqual(browser.watched(), [])
            # By the keyboard.
            browser.value("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Home', bubbles: true})); 0")
            for key in ("Home", "End"):
                browser.value(f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}})); 0")
            self.assertEqual(self.rows(browser)[0], "LAST SCREEN")
            # The second terminal.
            browser.value("{ const select = document.getElementById('recording'); select.value = '1'; select.dispatchEvent(new Event('change')); true }")
            browser.value("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'End', bubbles: true})); 0")
            self.assertIn("<img src=x", "".join(self.rows(browser)))
            self.assertEqual(browser.watched(), [])

    def test_seekingShowsWhatPlayingShows(self):
        """Each piece's screen is what the player has by then anyway."""
        with Chromium() as browser:
            browser.open(self.export("html", "desk.html"))
            for seconds in (3, 4.5, 11.5, 13, 25, 40.2, 41.5, 42):
                self.seek(browser, seconds)
                sought = self.rows(browser)
                browser.value(f"carrelPage.player.seek(0); carrelPage.player.advance({int(seconds * 1e6)}); 0")
                self.assertEqual(self.rows(browser), sought, seconds)

    def test_eventsAreFound(self):
        with Chromium() as browser:
            browser.open(self.export("html", "desk.html"))
            browser.value("{ const words = document.getElementById('words'); words.value = 'example.org refused'; words.dispatchEvent(new Event('input')); true }")
            self.assertEqual(browser.value("document.querySelectorAll('.event').length"), 1)
            self.assertEqual(browser.value("document.getElementById('count').textContent"), "1 of 19 events")
            browser.value("document.querySelector('.event summary').click(); 0")
            browser.wait("document.querySelector('.event dl') !== null")
            self.assertIn("refused: no rule", browser.value("document.querySelector('.event dl').textContent"))
            self.assertEqual(browser.watched(), [])

    def test_whatWasChangedDoesNotRun(self):
        """The policy holds; and what the other tests look at would tell."""
        with open(self.export("html", "desk.html"), encoding="utf-8") as page:
            text = page.read()
        for what, changed in (("script", text.replace("'use strict';", "'use strict'; fetch('https://example.org/');", 1)),
                              ("handler", text.replace("<body>", "<body onload=\"document.title='taken'\">", 1)),
                              ("image", text.replace("<body>", "<body><img src=\"https://example.org/x.png\">", 1))):
            with self.subTest(what), Chromium() as browser:
                self.assertNotEqual(changed, text)
                with open(self.path("changed.html"), "w", encoding="utf-8") as page:
                    page.write(changed)
                browser.open(self.path("changed.html"))
                self.assertTrue(any("securitypolicyviolation" in each for each in browser.watched()), browser.watched())
                self.assertEqual(browser.value("document.title"), "desk – Carrel")

    def test_theLinesAreAChain(self):
        """As json_lines.h says, by Python."""
        before = "0" * 64
        with open(self.export("jsonl", "desk.jsonl"), encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines]
        self.assertEqual(len(events), 19)
        for event in events:
            self.assertEqual(event["previous"], before)
            bytes_ = b"carrel-event-1\0" + bytes.fromhex(before) + event["seq"].to_bytes(8, "little") + int(event["time_ns"]).to_bytes(8, "little", signed=True)
            for name in ("kind", "provenance", "subject", "detail_text"):
                part = event[name].encode()
                bytes_ += len(part).to_bytes(8, "little") + part
            before = hashlib.sha256(bytes_).hexdigest()
            self.assertEqual(event["hash"], before)
            self.assertEqual(event["detail"], json.loads(event["detail_text"]))
        self.assertTrue(events[-1]["signed_head"].startswith("carrel-head-1 "))

    def pictures(self, browser):
        def all_of(name):
            for scheme in ("light", "dark"):
                browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                browser.picture(os.path.join(PICTURES, f"{name}-{scheme}.png"))
        all_of("page")
        self.seek(browser, 13)
        browser.value("document.querySelectorAll('.event summary')[4].click(); 0")
        browser.wait("document.querySelector('.event dl') !== null")
        all_of("editor")
        self.seek(browser, 5)
        browser.ask("Emulation.setDeviceMetricsOverride", width=420, height=1400, deviceScaleFactor=1, mobile=False)
        browser.value("window.dispatchEvent(new Event('resize')); 0")
        browser.picture(os.path.join(PICTURES, "narrow.png"))
        browser.ask("Emulation.clearDeviceMetricsOverride")


class TestPageTerminal(unittest.TestCase):
    """The page's terminal, by node: cases, and whatever comes."""

    def test_byNode(self):
        done = subprocess.run([need("node"), os.path.join(HERE, "terminal_cases.js"), os.path.join(ROOT, "resources", "replay", "terminal.js")],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    if os.geteuid() == 0:
        print("Carrel refuses to run as root: skipped")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], sys.argv[1], "-v"] if len(sys.argv) > 1 else sys.argv)
