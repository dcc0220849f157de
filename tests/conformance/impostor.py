"""A listener that is no gRPC server, at the address where one is expected."""

from __future__ import annotations

import contextlib
import socket
import threading
import time


class Impostor:
    """Accepts connections and never says a word, so that no SETTINGS frame comes.

    hang_up: close each connection at once instead.
    `accepted` holds when each connection came, in seconds of CLOCK_MONOTONIC.
    """

    def __init__(self, ip: str, port: int, *, hang_up: bool = False) -> None:
        self.accepted: list[float] = []
        self._hang_up = hang_up
        self._held: list[socket.socket] = []
        self._listener = socket.create_server((ip, port))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # shut down: we are closed
                return
            self.accepted.append(time.monotonic())
            if self._hang_up:
                connection.close()
            else:
                self._held.append(connection)

    def close(self) -> None:
        """Gives the address back and drops whoever is connected."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        for each in (self._listener, *self._held):
            each.close()
