"""What proxies that read calls have in common: programs of others', between clients and pods."""

from __future__ import annotations

import tempfile
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from greetlab.clusters.processes import Lifeline, Process

_KEPT = 50
"""Last lines of its log."""
ANSWER_TIMEOUT = 1.0
"""Seconds for it to say something of itself: who looks at a trace waits for it."""
_WATCHED = """
(
  read _ < /dev/fd/$1
  read was < /proc/$$/comm && [ "$was" = "$0" ] && kill -9 $$
  rm -rf "$2"
) >/dev/null 2>&1 &
shift 2
exec "$@" 2>&1
"""
"""Becomes the program, which knows of no lifeline; a child of its own waits for the lifeline's end,
which may be that of a Python that was killed.
"""


class L7Proxy(Process):
    """One proxy, serving once `await_serving` has returned.

    name: of the Service that it stands behind. ip: where it listens.
    program, arguments: what runs, in the foreground. folder: its files, gone after it.
    stdin: what it gets as its standard input; None: nothing.
    """

    has_control_plane = False
    """Whether somebody else tells it who the endpoints are."""

    def __init__(
        self,
        name: str,
        ip: str,
        program: Path,
        arguments: Sequence[str],
        *,
        folder: tempfile.TemporaryDirectory[str],
        lifeline: Lifeline,
        stdin: int | None = None,
    ) -> None:
        self.ip = ip
        self._folder = folder
        self._log: deque[str] = deque(maxlen=_KEPT)
        self._silent = threading.Event()  # it logs nothing more
        super().__init__(
            name,
            ["sh", "-c", _WATCHED, program.name, str(lifeline.reader), folder.name, str(program),
             *arguments],
            lifeline=lifeline,
            stdin=stdin,
        )  # fmt: skip
        threading.Thread(target=self._read, name=f"greetlab-{program.name}", daemon=True).start()

    @abstractmethod
    def await_serving(self) -> None:
        """Waits until it takes connections.

        Raises StartError with its last words if it ended, or took too long, instead.
        """

    @abstractmethod
    def set_endpoints(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Says who the endpoints are."""

    @abstractmethod
    def hosts(self) -> dict[str, dict[str, Any]]:
        """What it says of each endpoint: "ip:port" to statistics.

        "cx_active" is how many connections it has to it, "rq_total" how many calls it sent there
        since it was listed, "health" whether it may be sent any.

        Raises OSError or http.client.HTTPException if it has ended, or does not answer.
        """

    @abstractmethod
    def connections_made(self) -> int:
        """How many it has made to pods so far."""

    def wait(self, timeout: float | None = None) -> None:
        """Waits for its end; kills it after `timeout` seconds."""
        super().wait(timeout)
        self._folder.cleanup()

    def _hear(self, line: str) -> None:
        """A line of its log."""
        self._log.append(line.strip())

    def _read(self) -> None:
        try:
            for line in self.stdout:
                self._hear(line)
        except ValueError:
            pass  # closed under us: the cluster is closing
        self._silent.set()
