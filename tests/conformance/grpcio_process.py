"""Our end of the pipe to `grpcio_client.py`."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

ANSWER_WITHIN = 30.0
"""Seconds; every command of the suite is done long before, or the process is stuck."""


class GrpcioProcess:
    """A process with grpcio in it.

    environment: variables beside this process's own.
    """

    def __init__(self, **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("grpcio_client.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=clean | environment,
            text=True,
        )
        self._numbers = itertools.count(1)
        self._open: dict[int, Future[Any]] = {}
        self._later: list[Future[Any]] = []
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def number(self) -> int:
        """A number that nothing else has here."""
        return next(self._numbers)

    def start(self, do: str, **arguments: Any) -> Future[Any]:
        """Sends a command; the future has its result."""
        number = self.number()
        future: Future[Any] = Future()
        with self._lock:
            self._open[number] = future
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"id": number, "do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        return future

    def ask(self, do: str, **arguments: Any) -> Any:
        """Sends a command and waits for its result."""
        return self.start(do, **arguments).result(ANSWER_WITHIN)

    def later(self, do: str, **arguments: Any) -> None:
        """Sends a command that nobody waits for now; `close` does.

        grpcio takes up to 0.2 s to close a channel whose state is watched.
        """
        self._later.append(self.start(do, **arguments))

    def close(self) -> None:
        """Ends the process: it ends with its standard input."""
        for future in self._later:
            future.result(ANSWER_WITHIN)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._reader.join(10)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            reply = json.loads(line)
            with self._lock:
                future = self._open.pop(reply["id"])
            if "error" in reply:
                future.set_exception(RuntimeError(reply["error"]))
            else:
                future.set_result(reply["result"])
        with self._lock:
            for future in self._open.values():
                future.set_exception(RuntimeError("the grpcio process has ended"))
