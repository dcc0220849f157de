"""greet-server against a plain sync server and a bare completion-queue server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

from bench import processes
from bench.measure import Bar, Effort, Row, Run

OURS, SYNC, CQ = "greet-server", "plain sync server", "bare CQ server"


@contextmanager
def _contenders(effort: Effort) -> Iterator[Mapping[str, Run]]:
    commands = {
        OURS: processes.greet_server(),
        SYNC: processes.sync_server(),
        CQ: processes.cq_server(),
    }
    with ExitStack() as stack:
        runs: dict[str, Run] = {}
        for name, command in commands.items():
            server = stack.enter_context(processes.serving(command))
            runs[name] = partial(
                processes.sample,
                processes.our_client(server, engine="grpc"),
                calls=effort.calls(50_000),
                warm_up=effort.calls(4_000),
                cpu_of=server,
            )
        yield runs


ROWS = (
    Row(
        "server",
        "Servers, under the same client: load(n, 64), engine grpc",
        (Bar(OURS, SYNC, "cpu_us", most=0.6), Bar(OURS, CQ, "cpu_us", most=1.05)),
        _contenders,
        cpu_of="server",
    ),
)
