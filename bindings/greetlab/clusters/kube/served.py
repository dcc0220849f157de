"""`greet-client --serve`, spoken to: commands in, the traces of its channels out, live.

It runs wherever its command line says: in a pod, behind `kubectl exec -i`. What is said is in
cpp/client/serve.h.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from greetlab import _core
from greetlab.text import plain

PATIENCE = 30.0
"""Seconds that the client may take to start, and for what takes no time."""
_NUMBERED = re.compile(rb'\{"n":(\d+),"ok":')


class ServedError(RuntimeError):
    """The client could not do it; the words say what, where, and why."""


class Served:
    """A greet-client that does what it is told, until it is closed.

    command: runs it. where: in which words errors say where it is: "pod greetclient-x7k2p".

    May be used by several threads. Raises ServedError if it does not start, or is of another
    version.
    """

    def __init__(self, command: Sequence[str], where: str) -> None:
        self.where = where
        self.world = ""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process
        self._lock = threading.Lock()
        self._last = 0
        self._pending: dict[int, Future[bytes]] = {}
        self._traces: dict[str, _core.ReceivedTrace] = {}
        self._gone = ""
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # Ctrl-C is for Python, which then says "cancel"
            )
        except OSError as error:
            self._errors.close()
            raise ServedError(f"start greet-client in {where}: {error}") from error
        assert self._process.stdin
        assert self._process.stdout
        self._commands, self._lines = self._process.stdin, self._process.stdout
        hello: Future[bytes] = Future()
        self._pending[0] = hello
        self._reader = threading.Thread(target=self._read, name="greetlab-served", daemon=True)
        self._reader.start()
        try:
            self._greeted(hello)
        except BaseException:
            self.close()
            raise

    def _greeted(self, hello: Future[bytes]) -> None:
        try:
            said = json.loads(hello.result(PATIENCE))
        except FutureTimeoutError as error:
            raise ServedError(
                f"greet-client in {self.where} said nothing within {PATIENCE:.0f} s"
            ) from error
        theirs, ours = said["greet_client"], version("greetlab")
        if theirs != ours:
            raise ServedError(
                f"greet-client in {self.where} is of version {plain(str(theirs))}, and this is "
                f"greetlab {ours}: build the image anew (k8s/README.md)"
            )
        self.world = said["world"]

    def ask(self, what: str, *, patience: float | None = PATIENCE, **fields: Any) -> Any:
        """Has it do something, and waits for its answer.

        patience: seconds; None: as long as it takes.

        Raises ServedError if it will not, or is gone.
        """
        return json.loads(self.line(what, patience=patience, **fields))["ok"]

    def line(self, what: str, *, patience: float | None = PATIENCE, **fields: Any) -> bytes:
        """The same; its answer as it came. What is interrupted is cancelled there."""
        answer: Future[bytes] = Future()
        with self._lock:
            self._last += 1
            number = self._last
            self._pending[number] = answer
        try:
            self._say({"n": number, "do": what, **fields})
            try:
                return answer.result(patience)
            except FutureTimeoutError as error:
                raise ServedError(
                    f"{what}: greet-client in {self.where} gave no answer within {patience} s"
                ) from error
            except KeyboardInterrupt:
                self.ask("cancel", which=number)
                wait([answer], PATIENCE)
                raise
        finally:
            with self._lock:
                self._pending.pop(number, None)

    def open(self, channel: str, trace: _core.ReceivedTrace, **fields: Any) -> None:
        """Opens a channel there; its events come into `trace`."""
        self._traces[channel] = trace
        try:
            self.ask("open", channel=channel, **fields)
        except BaseException:
            del self._traces[channel]
            raise

    def close(self) -> None:
        """Ends it. Closing twice is fine."""
        with self._lock:
            self._gone = self._gone or "it was closed"
        with suppress(OSError):
            self._commands.close()  # the end of its standard input is its own
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if threading.current_thread() is not self._reader:
            self._reader.join(5)
        self._lines.close()
        self._errors.close()

    # Inside.

    def _say(self, command: dict[str, Any]) -> None:
        line = json.dumps(command).encode() + b"\n"
        with self._lock:
            if not self._gone:
                with suppress(OSError, ValueError):  # the reader finds out why
                    self._commands.write(line)
                    self._commands.flush()
            else:
                raise self._gone_error()

    def _read(self) -> None:
        try:
            while line := self._lines.readline():
                if line.startswith(b'{"channel":'):
                    self._receive(json.loads(line)["channel"])
                else:
                    self._answered(line)
            self._end("")
        except Exception as error:  # what it says is none of what it should
            self._end(str(error))

    def _receive(self, channel: str) -> None:
        header = self._lines.readline()
        events = [self._lines.readline() for _ in range(json.loads(header)["events"])]
        if channel in self._traces:
            self._traces[channel].receive(b"".join([header, *events]))

    def _answered(self, line: bytes) -> None:
        error = None
        if found := _NUMBERED.match(line):
            number = int(found[1])
        else:
            said = json.loads(line)
            number, error = said.get("n", 0), said.get("error")
        with self._lock:
            answer = self._pending.pop(number, None)
        if answer is None:
            return
        if error is None:
            answer.set_result(line)
        else:
            answer.set_exception(ServedError(plain(str(error))))

    def _end(self, why: str) -> None:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        with self._lock:
            self._gone = self._gone or why or plain(said[-1] if said else "it has ended")
            pending, self._pending = list(self._pending.values()), {}
        for answer in pending:
            answer.set_exception(self._gone_error())

    def _gone_error(self) -> ServedError:
        return ServedError(f"greet-client in {self.where} is gone: {self._gone}")
