"""Debian's Firefox, driven from the tests over WebDriver BiDi, which it speaks by itself.

https://w3c.github.io/webdriver-bidi/. Playwright drives a Firefox of its own only.
"""

import json
import re
import shutil
import subprocess
from contextlib import contextmanager

import pytest

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
if FIREFOX is None:
    pytest.skip("no Firefox: apt-get install firefox-esr", allow_module_level=True)
websocket = pytest.importorskip("websocket")

# Without motion a scene is at its end at once; and nothing is asked of the network.
PREFERENCES = """
user_pref("ui.prefersReducedMotion", 1);
user_pref("app.update.enabled", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("browser.startup.page", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
"""

KEYS = {"Tab": "\ue004", "Enter": "\ue007", "End": "\ue010", "ArrowRight": "\ue014"}


class Page:
    """The one tab. What was said on its console, and its uncaught errors, are in `wrong`."""

    def __init__(self, socket):
        self._socket = socket
        self._sent = 0
        self.wrong = []
        self.send("session.new", capabilities={})
        [tab, *_] = self.send("browsingContext.getTree")["contexts"]
        self._tab = tab["context"]
        self.send("session.subscribe", events=["log.entryAdded"])

    def send(self, method, **parameters):
        """A command, and what came of it. Events that come before are looked at."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            got = json.loads(self._socket.recv())
            if got.get("method") == "log.entryAdded":
                self.wrong.append(got["params"]["text"])
            elif got.get("id") == self._sent:
                assert got["type"] == "success", got
                return got["result"]

    def show(self, address, width=1280, height=900):
        """Opens it as if for the first time: another fragment of one page would load nothing."""
        viewport = {"width": width, "height": height}
        self.send("browsingContext.setViewport", context=self._tab, viewport=viewport)
        for url in ("about:blank", address):
            self.send("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def evaluate(self, expression):
        """Its value, or that of its promise, as JSON has it."""
        result = self.send(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert result["type"] == "success", result["exceptionDetails"]["text"]
        return json.loads(result["result"].get("value", "null"))

    def text(self, selector):
        """What a person reads there."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def box(self, selector, words=""):
        """Where the first such element with these words is, once it is in sight."""
        return self.evaluate(
            f"""(() => {{
              const found = [...document.querySelectorAll({json.dumps(selector)})].find(
                (one) => one.textContent.includes({json.dumps(words)}) && one.checkVisibility());
              if (!found) throw new Error("nobody sees: " + {json.dumps(f"{selector} {words}")});
              found.scrollIntoView({{ block: "center", behavior: "instant" }});
              const {{ left, top, width, height }} = found.getBoundingClientRect();
              return [left, top, width, height];
            }})()"""
        )

    def mouse(self, *steps):
        """Moves there and presses; with several places, lets go at the last."""
        actions = []
        for number, (x, y) in enumerate(steps):
            actions.append({"type": "pointerMove", "x": round(x), "y": round(y)})
            if not number:
                actions.append({"type": "pointerDown", "button": 0})
        actions.append({"type": "pointerUp", "button": 0})
        self._act({"type": "pointer", "id": "mouse", "actions": actions})

    def click(self, selector, words=""):
        """As with the mouse: in its middle."""
        left, top, width, height = self.box(selector, words)
        self.mouse((left + width / 2, top + height / 2))

    def press(self, *keys):
        """Keys, one after the other."""
        actions = []
        for key in keys:
            for what in ("keyDown", "keyUp"):
                actions.append({"type": what, "value": KEYS.get(key, key)})
        self._act({"type": "key", "id": "keys", "actions": actions})

    def _act(self, source):
        self.send("input.performActions", context=self._tab, actions=[source])


@contextmanager
def firefox(profile):
    """The browser, with a profile of its own, which is closed in the end."""
    (profile / "user.js").write_text(PREFERENCES)
    command = [FIREFOX, "--headless", "--no-remote", "--profile", profile]
    with subprocess.Popen(
        [*map(str, command), "--remote-debugging-port=0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if found := re.search(r"BiDi listening on (ws://\S+)", line):
                    break
            else:
                pytest.fail("".join(said))
            # Without an Origin, which Firefox would refuse.
            socket = websocket.create_connection(
                f"{found[1]}/session", timeout=30, suppress_origin=True
            )
            yield Page(socket)
            socket.close()
        finally:
            process.terminate()
