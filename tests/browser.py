"""A headless Chromium driven as a person would: pointer, keys, pictures, and what its console says.

Chromium speaks its DevTools protocol over a pair of pipes (``--remote-debugging-pipe``): JSON messages that end with a zero byte.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Home": (36, ""),
    "End": (35, ""),
    "ArrowUp": (38, ""),
    "ArrowDown": (40, ""),
    "ArrowLeft": (37, ""),
    "ArrowRight": (39, ""),
}


class Browser:
    """One page of a browser.

    Attributes:
        problems: errors and warnings of the console, and exceptions of scripts.
        requests: addresses that the page asked for.
    """

    def __init__(self, folder, width=1300, height=1000, patience=120):
        self.patience, self.problems, self.requests, self.count, self.rest = patience, [], [], 0, b""
        read, self.to = os.pipe()
        self.out, write = os.pipe()
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
        command += ["--remote-debugging-pipe", f"--window-size={width},{height}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{read} 4>&{write}', "bash", *command],
            pass_fds=(read, write),
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        pages = [one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for part in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{part}.enable")
        self.resize(width, height)

    session = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("Browser.close")
        self.process.wait(timeout=30)
        os.close(self.to)
        os.close(self.out)

    def call(self, method, **parameters):
        """The answer to a command of the protocol."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(method)
            if answer.get("id") == self.count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _next(self, method):
        end = time.monotonic() + self.patience
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.out], [], [], max(0, end - time.monotonic()))
            assert ready, f"the browser did not answer {method} within {self.patience} s"
            self.rest += os.read(self.out, 1 << 20)
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        what, found = event.get("method"), event.get("params", {})
        if what == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(found["exceptionDetails"])[:2000])
        elif what == "Runtime.consoleAPICalled" and found["type"] in ("error", "warning", "assert"):
            self.problems.append(json.dumps(found["args"])[:2000])
        elif what == "Log.entryAdded" and found["entry"]["level"] in ("error", "warning"):
            self.problems.append(found["entry"]["text"])
        elif what == "Network.requestWillBeSent":
            self.requests.append(found["request"]["url"][:200])

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, address, ready):
        """Open an address and wait until an expression holds."""
        self.call("Page.navigate", url=address)
        self.wait(ready)

    def run(self, expression):
        """Value of a JavaScript expression; of a promise what it resolves to."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression):
        """Wait until an expression holds."""
        end = time.monotonic() + self.patience
        while not self.run(f"!!({expression})"):
            assert time.monotonic() < end, f"it did not come to be within {self.patience} s: {expression}"
            time.sleep(0.05)

    def click(self, x, y):
        self.drag([(x, y)])

    def drag(self, points):
        """Press at the first point, move over the others, release at the last."""
        mouse = {"button": "left", "clickCount": 1}
        (x, y), *more = points
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **mouse)
        for x, y in more:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, **mouse)

    def press(self, key):
        code, text = KEYS[key] if key in KEYS else (ord(key.upper()), key)
        named = {"key": key, "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code}
        if text:
            named["text"] = text
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **named)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def picture(self, path, whole=True):
        """A PNG of the page."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))
