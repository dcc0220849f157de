"""Several clients of a Kubernetes at once: a Job of greet-clients, whose traces become one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from greetlab import _core
from greetlab.channels.greet_channel import Load
from greetlab.channels.options import ENGINES, ChannelOptions, told
from greetlab.clusters.kube.channel import told_policy
from greetlab.clusters.kube.clock import ClockSkew
from greetlab.text import lines, markup
from greetlab.trace.merging import Part, merge
from greetlab.trace.summary import ClientSummary, summarize
from greetlab.trace.trace import Trace

MOST_CLIENTS = 200
"""Pods of a Job: each has a trace to be fetched, and a node takes some hundred pods."""
NOT_TAKEN = {
    "source_ip": "each client's address is its pod's",
    "seed": "clients with the same seed would not be several",
    "trace_capacity": "a client's trace is kept as a whole",
    "kubeconfig": "the pods of a Job have no account of the Kubernetes API",
}
"""The options of a channel that several clients in pods cannot be told, and why."""


@dataclass(frozen=True)
class FleetClient:
    """One of several clients.

    name: that it has in the merged trace: "client-3". pod, node: where it ran.
    clock: how its node's clock stood to this machine's. did: what it did, in figures.
    """

    name: str
    pod: str
    node: str
    clock: ClockSkew
    did: ClientSummary


class Fleet:
    """What several clients did.

    clients: each by itself. trace: all of them in one, on this machine's clock
    (`time.monotonic()`): what two clients on different nodes did is in its order as far as their
    clocks could be compared: see `error`.
    """

    world = "KUBE"

    def __init__(self, clients: Sequence[FleetClient], trace: Trace) -> None:
        self.clients = list(clients)
        self.trace = trace

    @property
    def by_pod(self) -> dict[str, int]:
        """How many calls each server's pod answered, of all clients."""
        return _sum(client.did.by_pod for client in self.clients)

    @property
    def by_status(self) -> dict[str, int]:
        """How many calls ended with each status."""
        return _sum(client.did.by_status for client in self.clients)

    @property
    def table(self) -> dict[str, dict[str, int]]:
        """Client to server's pod to how many of its calls that answered; all pods in each row."""
        pods = list(self.by_pod)
        return {one.name: {pod: one.did.by_pod.get(pod, 0) for pod in pods} for one in self.clients}

    @property
    def error(self) -> float:
        """Seconds that two events of different nodes may stand wrongly to each other in `trace`; 0
        where all clients ran on one node, whose clock is one.
        """
        errors = sorted({client.node: client.clock.error for client in self.clients}.values())
        return sum(errors[-2:]) if len(errors) > 1 else 0.0

    def __repr__(self) -> str:
        return lines([self._title(), *(" ".join([" ", *row]) for row in self._rows())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr>{''.join(f'<td>{markup(cell.strip())}</td>' for cell in row)}</tr>"
            for row in self._rows()
        )
        return f"<div><b>{markup(self._title())}</b></div><table><tbody>{rows}</tbody></table>"

    def _title(self) -> str:
        nodes = len({client.node for client in self.clients})
        ended = ", ".join(f"{n} {status}" for status, n in self.by_status.items()) or "no calls"
        apart = f", their clocks ± {self.error * 1e3:.1f} ms" if nodes > 1 else ""
        return (
            f"Fleet [{self.world}] · {len(self.clients)} client{'s' * (len(self.clients) != 1)} on "
            f"{nodes} node{'s' * (nodes != 1)}{apart} · {ended}"
        )

    def _rows(self) -> list[list[str]]:
        return [
            [
                f"{one.name:10}",
                f"{one.pod}",
                f"on {one.node}:",
                ", ".join(f"{pod} {n}" for pod, n in one.did.by_pod.items()) or "nobody answered",
            ]
            for one in self.clients
        ]


@dataclass(frozen=True)
class Recorded:
    """What came back from a pod of the Job."""

    pod: str
    node: str
    trace: Trace


def gather(recorded: Sequence[Recorded], clocks: Mapping[str, ClockSkew]) -> Fleet:
    """One fleet of what each pod recorded, with the clock of each node."""
    parts = [
        Part(f"client-{number}", one.trace, clocks[one.node].trace_ahead)
        for number, one in enumerate(recorded, start=1)
    ]
    trace = merge(parts)
    did = {client.name: client for client in summarize(trace).clients}
    clients = [
        FleetClient(part.name, one.pod, one.node, clocks[one.node], did[part.name])
        for part, one in zip(parts, recorded, strict=True)
    ]
    return Fleet(clients, trace)


def command_line(target: str, load: Load, wait_ready: bool, options: ChannelOptions) -> list[str]:
    """greet-client's arguments for a load and a channel's options.

    Raises ValueError for what a client of a Job cannot be told.
    """
    load.checked()
    what = told(options)
    if what.engine != ENGINES[0]:
        raise ValueError(
            f"engine {what.engine!r}: greet-client in the pods has {ENGINES[0]!r} only, and "
            "nothing of gRPC's libraries"
        )
    words = [target, f"--count={load.n}", f"--concurrency={load.concurrency}", "--quiet"]
    words += [f"--deadline={_core.time_word(load.timeout)}"]
    words += [f"--interval={_core.time_word(load.every)}"] if load.every else []
    words += ["--wait-ready"] if wait_ready else []
    if what.service_config is not None:
        words.append(f"--service-config={what.service_config.text}")
    else:
        words += _policy_flags(told_policy(what.policy, options))
    for name, value in what.core.items():
        if name in NOT_TAKEN:
            raise ValueError(f"{name} {value!r}: {NOT_TAKEN[name]}")
        words += _flag(name, value)
    return words


def _policy_flags(policy: str | Mapping[str, Any]) -> list[str]:
    if isinstance(policy, str):
        return [f"--policy={policy}"]
    return [f"--service-config={json.dumps({'loadBalancingConfig': [policy]})}"]


def _flag(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag] if value else []
    if isinstance(value, str):
        return [f"{flag}={value}"] if value else []
    return [] if value is None else [f"{flag}={_core.time_word(value)}"]


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))
