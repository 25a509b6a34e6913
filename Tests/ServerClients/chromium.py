# SPDX-License-Identifier: Apache-2.0 WITH Swift-exception
"""A headless Chromium, driven by its DevTools protocol over two pipes: Python's standard library is enough."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


class Page:
    """The one page of a Chromium. Use it in a `with` statement: the browser ends with it."""

    def __init__(self, seconds=120):
        self.seconds = seconds
        self.profile = tempfile.mkdtemp(prefix="ggufpack-chromium-")
        to_browser, self.commands = os.pipe()
        self.answers, from_browser = os.pipe()

        def as_three_and_four():
            # Above every descriptor in use, so that neither overwrites the other.
            one, other = os.dup2(to_browser, 63), os.dup2(from_browser, 64)
            os.dup2(one, 3)
            os.dup2(other, 4)

        program = shutil.which("chromium") or shutil.which("google-chrome")
        self.process = subprocess.Popen(
            [program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             f"--user-data-dir={self.profile}", "about:blank"],
            preexec_fn=as_three_and_four, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.session = b"", 0, None
        self.problems, self.requests, self.handlers = [], [], {}
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Network", "Log"]:
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    # The protocol

    def call(self, method, **parameters):
        """Calls a method and returns its result."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            answer = self.receive(end)
            if answer and answer.get("id") == number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']['message']}")
                return answer["result"]
        raise SystemExit(f"{method}: Chromium does not answer")

    def receive(self, end):
        """The next message, if one comes in time. Events are noted."""
        while b"\0" not in self.buffer:
            if not select.select([self.answers], [], [], max(0, end - time.monotonic()))[0]:
                return None
            part = os.read(self.answers, 1 << 20)
            if not part:
                raise SystemExit("Chromium has ended")
            self.buffer += part
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        if "method" in message:
            self.note(message["method"], message["params"])
        return message

    def note(self, method, event):
        if method == "Runtime.exceptionThrown":
            self.problems.append(event["exceptionDetails"].get("exception", {}).get("description") or event["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            self.problems.append(event["entry"]["text"] + " " + event["entry"].get("url", ""))
        elif method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])
        if method in self.handlers:
            self.handlers[method](event)

    def pump(self, seconds):
        """Takes events for a while."""
        end = time.monotonic() + seconds
        while self.receive(end):
            pass

    # What a user does

    def visit(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def value(self, expression):
        """The value of an expression of JavaScript."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"{expression}: {result['exceptionDetails']['exception'].get('description')}")
        return result["result"].get("value")

    def wait(self, expression, seconds=None):
        """Waits until an expression is true."""
        end = time.monotonic() + (seconds or self.seconds)
        while not self.value(f"!!({expression})"):
            if time.monotonic() > end:
                raise SystemExit(f"never true: {expression}\n{self.value('document.body.innerText')}\n{self.problems}")
            self.pump(0.05)

    def press(self, key, shift=False):
        """Presses a key, as a person does."""
        codes = {"Enter": 13, "Escape": 27, "/": 191}
        text = {"Enter": "\r", "/": "/"}.get(key)
        common = {"key": key, "windowsVirtualKeyCode": codes[key], "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **common, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def click(self, selector):
        """Presses the mouse's button in the middle of an element."""
        place = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null; e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2, r.width]; })()")
        if not place or place[2] == 0:
            raise SystemExit(f"nothing to press at {selector}")
        for kind in ["mousePressed", "mouseReleased"]:
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def resize(self, width, height, is_phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone)

    def prefer(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def answer_instead(self, pattern, status, content_type, body):
        """Answers requests like `pattern` in the server's place, until `answer_truly`."""
        def paused(event):
            self.number += 1
            parameters = {
                "requestId": event["requestId"], "responseCode": status,
                "responseHeaders": [{"name": "content-type", "value": content_type}], "body": base64.b64encode(body.encode()).decode()}
            message = {"id": self.number, "sessionId": self.session, "method": "Fetch.fulfillRequest", "params": parameters}
            os.write(self.commands, json.dumps(message).encode() + b"\0")
        self.handlers["Fetch.requestPaused"] = paused
        self.call("Fetch.enable", patterns=[{"urlPattern": pattern}])

    def answer_truly(self):
        self.call("Fetch.disable")
