# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, told what to do by its DevTools protocol over a pipe (chromedevtools.github.io/devtools-protocol; the switch
--remote-debugging-pipe: descriptors 3 and 4, messages of JSON that end with a zero byte). No port is opened."""
import json
import os
import shutil
import subprocess
import tempfile

SWITCHES = ["--headless", "--disable-gpu", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--mute-audio",
            "--hide-scrollbars", "--window-size=1440,1000", "--remote-debugging-pipe"]

# Told by the page itself, before any script of its own runs.
WATCH = """
window.watched = [];
for (const kind of ['error', 'unhandledrejection', 'securitypolicyviolation'])
    addEventListener(kind, (event) => watched.push(kind + ': ' + (event.message || event.reason || event.violatedDirective + ' ' + event.blockedURI)), true);
"""


def find():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    raise AssertionError("no Chromium is installed: packages_test in installers/linux/lib.sh names it")


class Chromium:
    """with Chromium() as browser: one page, what it asked of a network, and what it complained of."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_read, self.to = os.pipe()
        self.of, of_write = os.pipe()
        environment = dict(os.environ, HOME=self.folder.name, XDG_CONFIG_HOME=self.folder.name, XDG_CACHE_HOME=self.folder.name)
        command = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{of_write}', "bash", find(), *SWITCHES, f"--user-data-dir={self.folder.name}/profile", "about:blank"]
        self.log = open(os.path.join(self.folder.name, "log"), "wb")
        self.process = subprocess.Popen(command, pass_fds=(to_read, of_write), env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        os.close(to_read)
        os.close(of_write)
        self.number, self.rest, self.session = 0, b"", None
        self.requests, self.complaints, self.seen = [], [], []
        page = next(each for each in self.ask("Target.getTargets")["targetInfos"] if each["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(domain + ".enable")
        self.ask("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        return self

    def __exit__(self, *_):
        try:
            self.session = None
            self.ask("Browser.close")
            self.process.wait(timeout=30)
        except (OSError, AssertionError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.of)
        self.log.close()
        self.folder.cleanup()

    def message(self):
        while b"\0" not in self.rest:
            piece = os.read(self.of, 1 << 20)
            if not piece:
                with open(self.log.name, "rb") as log:
                    raise AssertionError("Chromium went: " + log.read()[-2000:].decode("utf-8", "replace"))
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def note(self, message):
        method, params = message.get("method"), message.get("params", {})
        self.seen.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append("exception: " + details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{params['entry']['source']}: {params['entry']['text']}")
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append("console: " + json.dumps(params["args"]))

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self.note(answer)

    def open(self, path):
        self.requests, self.complaints, self.seen = [], [], []
        self.ask("Page.navigate", url="file://" + path)
        while "Page.loadEventFired" not in self.seen:
            self.note(self.message())

    def value(self, expression):
        """What it is in the page; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression):
        """Until it is true in the page, looked at whenever a picture is drawn."""
        self.value(f"new Promise((done) => {{ const look = () => ({expression}) ? done(true) : requestAnimationFrame(look); look(); }})")

    def watched(self):
        return self.value("watched") + self.complaints

    def picture(self, file):
        import base64
        with open(file, "wb") as out:
            out.write(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))
