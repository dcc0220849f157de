"""What the API server tells of objects as they change: a list, and then a watch from there on.

(kubernetes.io, "Efficient detection of changes".) Through `kubectl get --raw`, which prints what
comes as it comes: an event a line.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from urllib.parse import urlencode

from greetlab.clusters.kube.kubectl import Kubectl, KubectlError, Object

Changed = Callable[[Object | None, Object | None], None]
"""Hears of an object as it was (None: it is new) and as it is (None: it is gone)."""

AGAIN = 1.0
"""Seconds until it is tried again, when the API server could not be asked."""
_GONE = 410
"""The API server remembers no more what came after that version: the list must be made anew."""


class Watch:
    """Objects of one kind, in one namespace, from now until it is closed.

    path: of their list: "/api/v1/namespaces/greetlab/pods". selector: of their labels.
    changed: called for each change, on a thread of the watch's own; for those that there are
        already before this returns, on the caller's.

    Raises KubectlError if the API server cannot be asked at the start; later it is asked again and
    again, and what it said is `trouble`.
    """

    def __init__(self, kubectl: Kubectl, path: str, selector: str, changed: Changed) -> None:
        self.trouble = ""
        self._kubectl, self._path, self._changed = kubectl, path, changed
        self._selector = {"labelSelector": selector}
        self._objects: dict[str, Object] = {}
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        version = self._list()
        self._thread = threading.Thread(
            target=self._follow, args=(version,), name="greetlab-watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Nothing is told any more. Closing twice is fine."""
        self._closing.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()
        if threading.current_thread() is not self._thread:
            self._thread.join(10)

    # Inside.

    def _list(self) -> str:
        """Makes the list anew. Returns its version."""
        answer = json.loads(self._kubectl.get_raw(f"{self._path}?{urlencode(self._selector)}"))
        there = {item["metadata"]["name"]: item for item in answer["items"]}
        for name in [name for name in self._objects if name not in there]:
            self._set(name, None)
        for name, item in there.items():
            self._set(name, item)
        return str(answer["metadata"].get("resourceVersion", ""))

    def _set(self, name: str, now: Object | None) -> None:
        before = self._objects.pop(name, None)
        if now is not None:
            self._objects[name] = now
        if before != now and not self._closing.is_set():
            self._changed(before, now)

    def _follow(self, version: str) -> None:
        while not self._closing.is_set():
            try:
                version = self._hear(version) or self._list()
                self.trouble = ""
            except (KubectlError, OSError, ValueError, KeyError) as error:
                self.trouble = str(error)
                self._closing.wait(AGAIN)
                version = ""

    def _hear(self, version: str) -> str:
        """Until the watch ends, as it does now and then. Returns the version from which to go on;
        "": from a new list.
        """
        if not version:
            return ""
        asked = {**self._selector, "watch": "1", "resourceVersion": version}
        path = f"{self._path}?{urlencode({**asked, 'allowWatchBookmarks': 'true'})}"
        began = time.monotonic()
        process = subprocess.Popen(
            self._kubectl.command("get", "--raw", path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with self._lock:
            self._process = process
            if self._closing.is_set():
                process.kill()
        try:
            assert process.stdout
            for line in process.stdout:
                if self._closing.is_set():
                    break
                event = json.loads(line)
                thing, kind = event["object"], event["type"]
                if kind == "ERROR":
                    return "" if thing.get("code") == _GONE else version
                version = thing["metadata"]["resourceVersion"]
                if kind != "BOOKMARK":
                    name = thing["metadata"]["name"]
                    self._set(name, None if kind == "DELETED" else thing)
        finally:
            with self._lock:
                self._process = None
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        if time.monotonic() - began < AGAIN:  # it did not even begin
            self._closing.wait(AGAIN)
            return ""
        return version
