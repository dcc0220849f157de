"""The lab channel's round_robin against gRPC's own, over 3, 100 and 500 backends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import processes
from bench.measure import Bar, Effort, Row, Run

LAB, NATIVE, TUNED = "lab, untraced", "native, default", "native, tuned"
POLICY = "round_robin"


@contextmanager
def _contenders(effort: Effort, *, backends: int) -> Iterator[Mapping[str, Run]]:
    with processes.serving(processes.cq_server(backends), backends) as server:
        commands = {
            LAB: processes.our_client(server, engine="lab", policy=POLICY, trace_capacity=0),
            NATIVE: processes.native_client(server, policy=POLICY, tuned=False),
            TUNED: processes.native_client(server, policy=POLICY, tuned=True),
        }
        calls, warm_up = effort.calls(50_000), effort.calls(4_000)
        yield {
            name: partial(processes.sample, command, calls=calls, warm_up=warm_up)
            for name, command in commands.items()
        }


def _row(backends: int, least: float) -> Row:
    return Row(
        f"round-robin-{backends}",
        f"round_robin over {backends} backends, 64 in flight",
        (
            Bar(LAB, NATIVE, least=least),
            Bar(LAB, NATIVE, "cpu_us", most=0.9),
            Bar(LAB, TUNED, least=1.0),
        ),
        partial(_contenders, backends=backends),
    )


ROWS = (_row(3, 1.03), _row(100, 1.08), _row(500, 1.08))
