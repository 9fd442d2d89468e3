"""A headless Chromium at a pipe, and a server of a folder: pages as a reader has them, and what they ask for."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript", ".wasm": "application/wasm"}

    def log_message(self, format: str, *args: object) -> None:
        """No line for each file."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder at an address of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Browser:
    """One page, driven by the DevTools protocol. `asked` has what it, its frames and workers ask for."""

    def __init__(self, to: int, back: int) -> None:
        self.to, self.back, self.waiting = to, back, b""
        self.count, self.asked, self.faults, self.frames = 0, list[str](), list[str](), list[str]()
        target = self._send("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self._send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self._watched(self.session)

    def _watched(self, session: str) -> None:
        attach = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True}
        self.count += 1
        for method, given in (("Page.enable", {}), ("Runtime.enable", {}), ("Network.enable", {}),
                              ("Target.setAutoAttach", attach)):  # fmt: skip
            self.count += 1
            self._write({"id": self.count, "method": method, "params": given, "sessionId": session})

    def _write(self, message: dict[str, Any]) -> None:
        os.write(self.to, json.dumps(message).encode() + b"\0")

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.waiting:
            more = os.read(self.back, 1 << 20)
            if not more:
                raise AssertionError("chromium has ended")
            self.waiting += more
        first, _, self.waiting = self.waiting.partition(b"\0")
        found: dict[str, Any] = json.loads(first)
        return found

    def _send(self, method: str, given: dict[str, Any], session: str | None = None, *, until: str = "") -> Any:
        """The result of a command; with `until`, after an event of that name that follows it."""
        self.count += 1
        number, seen, result = self.count, not until, None
        self._write({"id": number, "method": method, "params": given} | ({"sessionId": session} if session else {}))
        while result is None or not seen:
            message = self._read()
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                result = message["result"]
            name, told = message.get("method"), message.get("params", {})
            seen = seen or (result is not None and name == until and message.get("sessionId") == session)
            if name == "Target.attachedToTarget" and hasattr(self, "session"):
                self._watched(told["sessionId"])
                if told["targetInfo"]["type"] == "iframe":
                    self.frames.append(told["sessionId"])
            elif name == "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])
            elif name == "Runtime.exceptionThrown":
                self.faults.append(json.dumps(told["exceptionDetails"])[:400])
        return result

    def open(self, address: str) -> None:
        """Go to a page, until it is loaded."""
        self._send("Page.navigate", {"url": address}, self.session, until="Page.loadEventFired")

    def run(self, script: str, frame: str | None = None) -> Any:
        """The value of an expression of JavaScript, which may be a promise, in the page or in one of its `frames`."""
        given = {"expression": script, "awaitPromise": True, "returnByValue": True}
        found = self._send("Runtime.evaluate", given, frame or self.session)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, condition: str, frame: str | None = None, seconds: float = 60) -> Any:
        """The value of an expression as soon as it is something."""
        end = monotonic() + seconds
        while not (found := self.run(condition, frame)):
            assert monotonic() < end, f"never: {condition}; {self.faults}"
            sleep(0.02)
        return found

    def close(self) -> None:
        """Let it write what it must, and end."""
        self._write({"id": 0, "method": "Browser.close", "params": {}})

    def sized(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window of a desktop or a phone, and the scheme that its system prefers."""
        given = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._send("Emulation.setDeviceMetricsOverride", given, self.session)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", {"features": [scheme]}, self.session)

    def shot(self, path: Path) -> None:
        """What is seen, as a PNG."""
        found = self._send("Page.captureScreenshot", {"format": "png"}, self.session)
        path.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A Chromium whose profile is in `folder`; it finds no machine but this one."""
    assert CHROMIUM is not None
    to_read, to_write = os.pipe()
    back_read, back_write = os.pipe()
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
               "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
               f"--user-data-dir={folder / 'user'}"]  # fmt: skip
    words = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{back_write}', "bash", *command]
    process = subprocess.Popen(
        words, pass_fds=(to_read, back_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(to_read)
    os.close(back_write)
    try:
        made = Browser(to_write, back_read)
        yield made
        made.close()
        process.wait(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(to_write)
        os.close(back_read)
