"""The processes of a local cluster: started, watched, and never left behind.

Two ways tell a child that its parent is gone, both without a signal that could be missed: a pipe
whose other end only the parent holds (the lifeline), and, for the proxy, its standard input.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from greetlab import executables

START_TIMEOUT = 10.0
"""Seconds that processes started together may take until all of them serve."""


class StartError(RuntimeError):
    """A process of the cluster could not be started; the message says which and why."""


class Lifeline:
    """A pipe that nobody writes to: when its last writer is gone, its readers reach its end.

    Only this process holds the writing end, so a child notices also that we were killed. A child
    that user code makes with os.fork gets a copy of it; it lets go of that at once (and of the
    `also` ends), or it would keep the cluster alive.
    """

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        self.also: list[IO[str]] = []
        reference = weakref.ref(self)

        def let_go() -> None:
            if (mine := reference()) is not None:
                mine.close()
                for end in mine.also:
                    end.close()

        os.register_at_fork(after_in_child=let_go)

    def close(self) -> None:
        """Lets go of both ends. Closing twice is fine."""
        for end in (self.reader, self._writer):
            if end >= 0:
                os.close(end)
        self.reader = self._writer = -1


class Process:
    """One child process, with what it says on its standard error kept for error messages."""

    def __init__(
        self, name: str, arguments: Sequence[str], *, lifeline: Lifeline, stdin: int | None = None
    ) -> None:
        self.name = name
        # Without a name in the file system: nothing to clean up, whatever happens.
        self._errors = tempfile.TemporaryFile("a+", errors="replace")  # noqa: SIM115
        self.popen = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            pass_fds=[lifeline.reader],
            # Ctrl-C in the terminal is for Python, which then closes the cluster in order.
            start_new_session=True,
            text=True,
        )

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.popen.poll() is None

    @property
    def stdout(self) -> IO[str]:
        """What it prints."""
        assert self.popen.stdout is not None
        return self.popen.stdout

    def serving(self) -> None:
        """It has said that it serves."""
        self.stdout.close()  # and says nothing more

    def terminate(self) -> None:
        """SIGTERM: end in order."""
        self.popen.terminate()

    def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        self.popen.kill()
        self.wait()

    def wait(self, timeout: float | None = None) -> None:
        """Waits for its end; kills it after `timeout` seconds."""
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        if not self._errors.closed:
            self._last_words = self.last_words
        for stream in (self.popen.stdin, self.popen.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):  # what it did not read any more
                    stream.close()

    def cpu_seconds(self) -> float:
        """Processor time that it has used."""
        fields = Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def last_words(self) -> str:
        """The last line that it wrote to its standard error."""
        if self._errors.closed:
            return self._last_words
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return lines[-1] if lines else f"it said nothing, exit status {self.popen.poll()}"


def await_first_line(processes: Iterable[Process]) -> None:
    """Waits until each process has printed a line, which ours do once they serve.

    Raises StartError naming the first that ended, or took too long, instead.
    """
    deadline = time.monotonic() + START_TIMEOUT
    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(process.stdout, selectors.EVENT_READ, process)
        while selector.get_map():
            ready = selector.select(deadline - time.monotonic())
            if not ready:
                waiting = ", ".join(key.data.name for key in selector.get_map().values())
                raise StartError(f"{waiting}: not serving after {START_TIMEOUT:.0f} s")
            for key, _ in ready:
                process = key.data
                selector.unregister(process.stdout)
                if not process.stdout.readline():
                    process.wait(1.0)
                    raise StartError(f"{process.name} did not start: {process.last_words}")
                process.serving()


class GreetServer(Process):
    """A pod's process, serving once `await_first_line` has returned."""

    def __init__(
        self,
        name: str,
        ips: Sequence[str],
        port: int,
        *,
        lifeline: Lifeline,
        control: str,
        flags: Sequence[str] = (),
    ) -> None:
        arguments = [
            str(executables.path("greet-server")),
            "--listen",
            *ips,
            "--port",
            str(port),
            "--control",
            control,
        ]
        arguments += ["--pod-name", name, "--pod-ip", ips[0], "--lifeline", str(lifeline.reader)]
        super().__init__(name, [*arguments, *flags], lifeline=lifeline)


class ClusterIpProxy(Process):
    """The process that stands in for kube-proxy, controlled by its standard input.

    `facts` holds what it reported, oldest first: dicts with "fact" and "time_ns"
    (CLOCK_MONOTONIC), as `clusterip --help` describes them. The newest FACTS_KEPT are kept.
    """

    FACTS_KEPT = 100_000

    def __init__(
        self, address: str, *, seed: int, lifeline: Lifeline, affinity: str | None = None
    ) -> None:
        program = str(executables.path("clusterip"))
        arguments = [program, "--listen", address, "--seed", str(seed)]
        if affinity is not None:
            arguments += ["--session-affinity", affinity]
        super().__init__("clusterip", arguments, lifeline=lifeline, stdin=subprocess.PIPE)
        assert self.popen.stdin is not None
        self._commands = self.popen.stdin
        lifeline.also.append(self._commands)
        self.facts: deque[dict[str, Any]] = deque(maxlen=self.FACTS_KEPT)
        self._changed = threading.Condition()
        self._acknowledged = 0
        self._asked = 0
        self._ended = False

    def serving(self) -> None:
        """It serves: from now on it reports."""
        threading.Thread(target=self._read, name="greetlab-clusterip", daemon=True).start()

    def set_endpoints(self, addresses: Iterable[str]) -> None:
        """Replaces the endpoints ("ip:port") and waits until the proxy has them.

        All that it reported before is in `facts` then.

        Raises RuntimeError if it has ended.
        """
        try:
            self._commands.write(f"endpoints {','.join(addresses)}\n")
            self._commands.flush()
        except OSError as error:
            raise RuntimeError(f"the clusterip process has ended: {self.last_words}") from error
        with self._changed:
            self._asked += 1
            self._changed.wait_for(lambda: self._ended or self._acknowledged == self._asked)
            if self._ended:
                raise RuntimeError(f"the clusterip process has ended: {self.last_words}")

    def _read(self) -> None:
        with contextlib.suppress(ValueError):  # closed under us: the cluster is closing
            for line in self.stdout:
                fact = json.loads(line)
                with self._changed:
                    self.facts.append(fact)
                    self._acknowledged += fact["fact"] == "endpoints"
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
