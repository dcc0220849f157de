"""The proxy that stands in for a ClusterIP, against HAProxy, and against no proxy at all."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench import counting, processes
from bench.measure import Bar, BrokenError, Effort, Row, Run, Sample
from greetlab import executables

OURS, HAPROXY, DIRECT = "clusterip", "HAProxy", "no proxy"

# One thread, as ours has. What else it can be given (splice, busy polling) made it slower with
# messages as small as these, or took a core for itself.
CONFIGURATION = """
global
  nbthread 1
  maxconn 1000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend service
  bind {address}
  default_backend pods
backend pods
  server pod-1 {backend}
"""


@contextmanager
def _contenders(effort: Effort, *, in_flight: int, usual: int) -> Iterator[Mapping[str, Run]]:
    program = processes.require_program("haproxy", "haproxy")
    with ExitStack() as stack:
        direct = stack.enter_context(processes.serving(processes.cq_server()))
        ours = stack.enter_context(_clusterip(direct))
        haproxy = stack.enter_context(_haproxy(program, direct))

        def sample(server: processes.Server) -> Sample:
            taken = processes.sample(
                processes.native_client(server, tuned=True, concurrency=in_flight),
                calls=effort.calls(usual),
                warm_up=effort.calls(usual // 10),
                cpu_of=server,
            )
            if server is not direct:
                return taken
            return {metric: value for metric, value in taken.items() if metric != "cpu_us"}

        contenders = {OURS: ours, HAPROXY: haproxy, DIRECT: direct}
        yield {name: partial(sample, server) for name, server in contenders.items()}


@contextmanager
def _counted(_: Effort) -> Iterator[Mapping[str, Run]]:
    program = processes.require_program("haproxy", "haproxy")
    calls = 500
    with ExitStack() as stack:
        direct = stack.enter_context(processes.serving(processes.cq_server()))

        def sample(server: processes.Server) -> Sample:
            client = processes.native_client(server, tuned=True, concurrency=1)
            short, long = (_system_calls(server, client, each) for each in (calls, 3 * calls))
            return {"system_calls": (long - short) / (2 * calls)}

        yield {
            OURS: partial(sample, stack.enter_context(_clusterip(direct))),
            HAPROXY: partial(sample, stack.enter_context(_haproxy(program, direct))),
        }


def _system_calls(proxy: processes.Server, client: list[str | Path], calls: int) -> int:
    command = [*client, "--calls", str(calls), "--warm-up", "1"]
    return counting.system_calls_while(proxy.pid, partial(processes.report_of, command))


@contextmanager
def _clusterip(server: processes.Server) -> Iterator[processes.Server]:
    backend = server.target.removeprefix("ipv4:")
    address = processes.free_address()
    command = [executables.path("clusterip"), "--listen", address, "--endpoints", backend]
    with subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as it:
        assert it.stdout is not None
        if b"listening" not in it.stdout.readline():
            raise BrokenError("clusterip did not start: see what it said above")
        yield processes.Server(f"ipv4:{address}", 1, it.pid)


@contextmanager
def _haproxy(program: Path, server: processes.Server) -> Iterator[processes.Server]:
    backend = server.target.removeprefix("ipv4:")
    address = processes.free_address()
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "haproxy.cfg"
        configuration.write_text(CONFIGURATION.format(address=address, backend=backend))
        with subprocess.Popen([program, "-db", "-q", "-f", configuration]) as it:
            try:
                processes.wait_until_listening(address, it)
                yield processes.Server(f"ipv4:{address}", 1, it.pid)
            finally:
                it.kill()


def _row(in_flight: int, usual: int, bar: Bar | None) -> Row:
    return Row(
        f"clusterip-{in_flight}",
        f"Through a proxy, {in_flight} in flight",
        (bar,) if bar else (),
        partial(_contenders, in_flight=in_flight, usual=usual),
        cpu_of="proxy",
    )


ROWS = (
    _row(64, 30_000, Bar(OURS, HAPROXY, least=1.0)),
    _row(1, 4_000, None),
    Row(
        "clusterip-counted",
        "What a call takes of a proxy, one at a time: two messages",
        (Bar(OURS, HAPROXY, "system_calls", most=0.8),),
        _counted,
        times=None,
    ),
)
