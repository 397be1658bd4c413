"""A real Chromium without a window that a test drives: opens files, runs expressions, presses keys, listens to complaints.

It speaks Chromium's DevTools protocol (https://chromedevtools.github.io/devtools-protocol) over its pipe: requests are
JSON ended by a NUL byte on descriptor 3, answers and events come on 4.
"""
import base64
import json
import os
import shutil
import subprocess

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = "Chromium is missing; bring it with: sudo apt-get install chromium"
LIMIT = 120  # seconds
KEYS = {"Tab": {"code": "Tab", "windowsVirtualKeyCode": 9},
        "Enter": {"code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}}


class Browser:
    def __init__(self, folder):
        self.complaints = []  # of the console, uncaught errors among them
        self.asked = []  # addresses that pages asked for
        self._last = 0
        self._unread = b""
        self._events = []
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self._in, self._out = ours_in, ours_out

        def connect():
            kept = [os.dup(theirs_in), os.dup(theirs_out)]  # neither is 3 or 4 when they are put there
            for wanted, descriptor in zip((3, 4), kept):
                os.dup2(descriptor, wanted)

        self._process = subprocess.Popen(
            [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={folder / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
             "about:blank"], preexec_fn=connect, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        target = next(t for t in self._ask("Target.getTargets")["targetInfos"] if t["type"] == "page")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Page.setLifecycleEventsEnabled", enabled=True)

    def close(self):
        self._ask("Browser.close")
        self._process.wait(LIMIT)
        os.close(self._in)
        os.close(self._out)

    def ask(self, method, **parameters):
        return self._ask(method, self._session, **parameters)

    def open(self, path, width, height=900):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._events.clear()
        loader = self.ask("Page.navigate", url=path.as_uri())["loaderId"]
        while not any(self._is_loaded(event, loader) for event in self._events):  # this page, not the one before it
            self._receive()

    @staticmethod
    def _is_loaded(event, loader):
        told = event.get("params", {})
        return (event["method"], told.get("name"), told.get("loaderId")) == ("Page.lifecycleEvent", "load", loader)

    def value(self, expression):
        """Of JavaScript, as JSON has it."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found["result"].get("value")

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, **KEYS[key])

    def write(self, text):
        self.ask("Input.insertText", text=text)

    def picture(self, path):
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def _ask(self, method, session=None, **parameters):
        self._last += 1
        request = {"id": self._last, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        os.write(self._out, json.dumps(request).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def _receive(self):
        while b"\0" not in self._unread:
            more = os.read(self._in, 1 << 20)
            if not more:
                raise AssertionError("Chromium is gone")
            self._unread += more
        text, self._unread = self._unread.split(b"\0", 1)
        message = json.loads(text)
        method, told = message.get("method"), message.get("params", {})
        if method in ("Runtime.exceptionThrown", "Log.entryAdded") or method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(told)[:500])
        if method == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"][:200])
        if method:
            self._events.append(message)
        return message
