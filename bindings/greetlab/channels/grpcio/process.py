"""Our end of the socket to `worker.py`."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

NUMBERS = 2**32
"""A load's calls have so many numbers to themselves."""

Hear = Callable[[tuple[Any, ...]], None]


class Worker:
    """A process with grpcio in it, for as long as somebody holds it.

    Made by `hold`. It ends with the socket, so also when this process is killed.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.holders = 0
        self._owner = os.getpid()
        ours, theirs = socket.socketpair()
        with theirs:
            self._popen = subprocess.Popen(
                # -P: what lies beside it is no library of grpcio's.
                [sys.executable, "-P", str(Path(__file__).with_name("worker.py")),
                 str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is for this process
            )  # fmt: skip
        self._socket = Connection(ours.detach())
        self._numbers = itertools.count(1)
        self._open: dict[int, Future[Any]] = {}
        self._listeners: dict[int, Hear] = {}
        self._ended = False
        self._lock = threading.Lock()
        # A queue, whose `put` a signal handler may call in the midst of another one.
        self._outbox: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=work, name="greetlab-grpcio", daemon=True)
            for work in (self._write, self._read)
        ]
        for thread in self._threads:
            thread.start()

    def number(self) -> int:
        """A number that nothing else has here."""
        return next(self._numbers)

    def listen(self, number: int, hear: Hear | None) -> None:
        """Whom to tell of calls whose numbers begin at `number` * NUMBERS; None: nobody."""
        if hear is None:
            self._listeners.pop(number, None)
        else:
            self._listeners[number] = hear

    def start(self, name: str, **arguments: Any) -> Future[Any]:
        """Has something done; the future has its result.

        Raises RuntimeError in a process that was forked from the one which began it.
        """
        if os.getpid() != self._owner:
            raise RuntimeError(
                "channels were used before this process was forked, and cannot be used on this "
                "side of it: start the process with subprocess, or with multiprocessing's 'spawn' "
                "or 'forkserver' method"
            )
        number = self.number()
        future: Future[Any] = Future()
        self._open[number] = future
        self._outbox.put((number, name, arguments))
        if self._ended:
            self._fail(number)
        return future

    def ask(self, name: str, **arguments: Any) -> Any:
        """Has something done, and waits for it."""
        return self.start(name, **arguments).result()

    def close(self) -> None:
        """Ends the process, and waits until it has."""
        if os.getpid() != self._owner:
            self._socket.close()
            return
        self._outbox.put(None)
        for thread in self._threads:
            thread.join()
        self._popen.kill()
        self._popen.wait()
        self._socket.close()

    def let_go(self) -> None:
        """In a child of os.fork: the worker is its parent's."""
        self._socket.close()
        self._popen.returncode = 0  # no child of ours: nothing to wait for, or to warn of

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # it has gone: `_read` says so
            while (command := self._outbox.get()) is not None:
                self._socket.send(command)
        # Wakes `_read` and the worker; the descriptor stays until both threads have ended.
        with (
            contextlib.suppress(OSError),
            socket.socket(fileno=os.dup(self._socket.fileno())) as end,
        ):
            end.shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                for news in self._socket.recv():
                    self._hear(news)
        self._ended = True
        for number in [*self._open]:
            self._fail(number)

    def _hear(self, news: tuple[Any, ...]) -> None:
        what, number, *rest = news
        if what in ("started", "ended"):
            if (hear := self._listeners.get(number // NUMBERS)) is not None:
                hear(news)
            return
        future = self._open.pop(number)
        if what == "error":
            future.set_exception(RuntimeError(f"grpcio's process: {rest[0]}"))
        else:
            future.set_result(rest[0])

    def _fail(self, number: int) -> None:
        # Whoever takes it out of there is the one who ends it.
        if (future := self._open.pop(number, None)) is not None:
            future.set_exception(
                RuntimeError(f"grpcio's process has ended, with {self._popen.poll()}")
            )


_workers: list[Worker] = []
_lock = threading.RLock()


def hold() -> Worker:
    """The worker of this process, started where there is none; give it back with `release`.

    What gRPC reads from its environment it reads when it starts: where that has changed, it is
    another worker.

    Raises ValueError where grpcio is not installed.
    """
    if importlib.util.find_spec("grpc") is None:
        raise ValueError(
            "engine 'grpcio': PyPI's grpcio is not installed here: pip install 'greetlab[grpcio]'"
        )
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("GRPC_") or name.lower().endswith("_proxy")
    }
    with _lock:
        for worker in _workers:
            if worker.environment == environment and not worker._ended:
                break
        else:
            worker = Worker(environment)
            _workers.append(worker)
        worker.holders += 1
        return worker


def release(worker: Worker) -> None:
    """Gives it back: the last to do so ends it."""
    with _lock:
        worker.holders -= 1
        if worker.holders or worker not in _workers:
            return
        _workers.remove(worker)
    worker.close()


def _in_forked_child() -> None:
    for worker in _workers:
        worker.let_go()
    _workers.clear()


if hasattr(os, "register_at_fork"):  # Windows forks nothing
    os.register_at_fork(after_in_child=_in_forked_child)
