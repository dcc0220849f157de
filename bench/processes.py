"""The processes of a measurement: servers that stay for a row, clients that live for one sample."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.measure import BrokenError, Sample, Skipped
from greetlab import executables

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "build" / "bench" / "peers"
"""Where `./run bench` builds the C++ peers, and greet.proto's descriptor."""

CLIENT_TIMEOUT = 120.0
"""Seconds that one sample may take."""


@dataclass(frozen=True)
class Server:
    """A server that serves: its gRPC target, and its process."""

    target: str
    backends: int
    pid: int

    @property
    def cpu_seconds(self) -> float:
        """CPU time of its process until now."""
        # The CPU clock of another process: clock_getcpuclockid(3), which Python does not have.
        return time.clock_gettime((~self.pid << 3) | 2)


@contextmanager
def serving(command: Sequence[str | Path], backends: int = 1) -> Iterator[Server]:
    """Runs a server that prints "... serving on IP:PORT,..." and ends with its standard input.

    Raises BrokenError if it does not.
    """
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        line = it.stdout.readline()
        if " on " not in line:
            raise BrokenError(f"{Path(command[0]).name} did not start: see what it said above")
        yield Server(f"ipv4:{line.split()[-1]}", backends, it.pid)


def peer(name: str) -> Path:
    """A C++ peer. Raises Skipped if it was not built."""
    found = PEERS / name
    if not found.exists():
        raise Skipped(f"the peer {name} is not built; ./run bench builds it")
    return found


def free_address() -> str:
    """An address of the loopback, nobody else's in all likelihood, and a port of it."""
    return f"{_loopback_ip()}:{random.randrange(20_000, 30_000)}"


def _loopback_ip() -> str:
    return f"127.255.{random.randrange(1, 255)}.{random.randrange(1, 255)}"


def wait_until_listening(address: str, process: subprocess.Popen[bytes]) -> None:
    """Waits until a process that tells nobody so accepts connections.

    Raises BrokenError if it ends instead, or takes longer than ten seconds.
    """
    ip, port = address.split(":")
    patience = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < patience:
        with socket.socket() as attempt:
            if attempt.connect_ex((ip, int(port))) == 0:
                return
        time.sleep(0.01)
    raise BrokenError(f"nobody listens on {address}")


def greet_server() -> list[str | Path]:
    """The command of our greet-server on a free port."""
    flags = ["--listen", "127.0.0.1", "--port", "0", "--lifeline", "0"]
    return [
        executables.path("greet-server"),
        *flags,
        "--pod-name",
        "pod-1",
        "--pod-ip",
        "127.0.0.1",
    ]


def sync_server() -> list[str | Path]:
    """The command of the plain synchronous server. A peer that was not built raises Skipped."""
    return [peer("sync_server")]


def cq_server(backends: int = 1) -> list[str | Path]:
    """The command of the bare completion-queue server; each backend is a port of it."""
    # An address to itself: so many ports would get into others' way on 127.0.0.1.
    return [peer("cq_server"), "--ip", _loopback_ip(), "--backends", str(backends)]


def dns_server() -> list[str | Path]:
    """The command of a DNS server with one answer."""
    return [peer("dns_server"), "--ip", _loopback_ip()]


def native_client(
    server: Server, *, policy: str = "pick_first", tuned: bool, concurrency: int = 64
) -> list[str | Path]:
    """The command of gRPC's own channel, driven from C++."""
    flags = ["--target", server.target, "--policy", policy, "--backends", str(server.backends)]
    flags += ["--concurrency", str(concurrency)]
    return [peer("native_client"), *flags, *(["--tuned"] if tuned else [])]


def lab_client(
    server: Server,
    *,
    policy: str = "round_robin",
    concurrency: int = 64,
    trace_capacity: int = 0,
    frames: bool = False,
) -> list[str | Path]:
    """The command of the lab's channel, driven from C++ as `native_client` drives gRPC's."""
    flags = ["--target", server.target, "--policy", policy, "--backends", str(server.backends)]
    flags += ["--concurrency", str(concurrency), "--trace-capacity", str(trace_capacity)]
    return [peer("lab_client"), *flags, *(["--frames"] if frames else [])]


def blocking_client(server: Server, *, engine: str, threads: int) -> list[str | Path]:
    """The command of C++ threads that wait for each answer: "lab", or "grpc": its sync stub."""
    flags = ["--target", server.target, "--engine", engine, "--threads", str(threads)]
    return [peer("blocking_client"), *flags]


def our_client(
    server: Server,
    *,
    engine: str,
    policy: str = "pick_first",
    trace_capacity: int | None = None,
    concurrency: int = 64,
) -> list[str | Path]:
    """The command of greetlab's channel, through Python."""
    flags = ["--target", server.target, "--engine", engine, "--policy", policy]
    flags += ["--backends", str(server.backends), "--concurrency", str(concurrency)]
    if trace_capacity is not None:
        flags += ["--trace-capacity", str(trace_capacity)]
    return [sys.executable, "-m", "bench.clients.ours", *flags]


def greet_client(
    server: Server, *, calls: int, policy: str, concurrency: int, loops: int
) -> list[str | Path]:
    """The command of greet-client, which says how its calls ended."""
    target = server.target.replace("ipv4:", "static:")
    flags = ["--wait-ready", "--quiet", "--policy", policy, "--loops", str(loops)]
    flags += ["--count", str(calls), "--concurrency", str(concurrency)]
    return [executables.path("greet-client"), target, *flags]


def grpcio_client(server: Server, kind: str) -> list[str | Path]:
    """The command of PyPI's grpcio: "sync" or "aio"."""
    flags = ["--target", server.target, "--descriptor", str(peer("greet.desc"))]
    return [sys.executable, "-m", "bench.clients.grpcio", kind, *flags]


def sample(
    command: Sequence[str | Path], *, calls: int, warm_up: int, cpu_of: Server | None = None
) -> Sample:
    """Runs a client for one sample. Its warm-up calls do not count.

    cpu_of: whose CPU time is told; None = the client's, as it measured it around its calls. A
        server's is shared out over the warm-up calls, too.

    Raises BrokenError if it fails.
    """
    before = cpu_of.cpu_seconds if cpu_of else 0.0
    told = report_of([*command, "--calls", str(calls), "--warm-up", str(warm_up)])
    cpu = told["cpu_seconds"] / told["calls"]
    if cpu_of:
        cpu = (cpu_of.cpu_seconds - before) / (told["calls"] + warm_up)
    return {
        "calls_per_second": told["calls"] / told["seconds"],
        "p50_us": told["p50_us"],
        "cpu_us": cpu * 1e6,
    }


def report_of(command: Sequence[str | Path]) -> dict[str, Any]:
    """Runs a program that prints one JSON object, and gives that object.

    Raises BrokenError if it fails.
    """
    return dict(json.loads(output_of(command)))


def output_of(command: Sequence[str | Path]) -> str:
    """Runs a program, and gives what it prints.

    Raises BrokenError if it fails.
    """
    try:
        done = subprocess.run(
            command, cwd=ROOT, timeout=CLIENT_TIMEOUT, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired as expired:
        raise BrokenError(f"{_words(command)}: not done after {CLIENT_TIMEOUT:.0f} s") from expired
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BrokenError(f"{_words(command)}: {lines[-1]}")
    return done.stdout


@dataclass(frozen=True)
class Timed:
    """What a program printed, and what it took, from its start to its end."""

    output: str
    seconds: float
    cpu_seconds: float


def timed(command: Sequence[str | Path]) -> Timed:
    """Runs a program that does not measure itself.

    Raises BrokenError if it fails.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    output = output_of(command)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Timed(output, end - start, cpu)


def require_python(*modules: str) -> None:
    """Raises Skipped for a module of Python that is not installed."""
    for module in modules:
        if find_spec(module) is None:
            raise Skipped(f"the Python module {module} is not installed; ./run bench installs it")


def require_program(name: str, package: str) -> Path:
    """Where a program of the system is. Raises Skipped if it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Skipped(f"{name} is not installed (apt-get install {package})")
    return Path(found)


def raise_file_limit() -> None:
    """Lets this process and its children open as many files as the system allows them to.

    500 backends and their connections are above the usual 1024.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _words(command: Sequence[str | Path]) -> str:
    if command[0] == sys.executable:
        return f"python {' '.join(map(str, command[1:4]))}"
    return Path(command[0]).name
