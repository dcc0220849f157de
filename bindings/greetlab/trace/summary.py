"""A trace in figures: who did what, and how it ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from greetlab.trace.trace import STATUS_NAMES, Trace, owner


@dataclass(frozen=True)
class ClientSummary:
    """What one client did.

    lookups, queries, dials, connected, failed_dials, lost: how many of each.
    addresses: the last list that its policy was given.
    by_pod, by_address, by_status: how many of its calls each pod answered, were sent to each
        address, and ended with each status.
    """

    name: str
    lookups: int
    queries: int
    addresses: list[str]
    dials: int
    connected: int
    failed_dials: int
    lost: int
    calls: int
    by_pod: dict[str, int]
    by_address: dict[str, int]
    by_status: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """A whole trace.

    seconds: from its first event to its last. kinds: how many events there are of each.
    cluster: what was done to the cluster: "pod-2 is killed", in order.
    """

    world: str
    events: int
    dropped: int
    seconds: float
    clients: list[ClientSummary]
    cluster: list[str]
    kinds: dict[str, int]


def summarize(trace: Trace) -> Summary:
    """The figures of a trace."""
    clients = trace.of("CallStarted", "ChannelStateChanged")
    names = {owner(trace.word(int(who))) for who in np.unique(trace.core.who[clients.rows])}
    seconds = trace.seconds
    changes = [e for e in trace.of("PodChanged") if e.change not in ("started", "ready")]
    return Summary(
        world=trace.world,
        events=len(trace),
        dropped=trace.dropped,
        seconds=float(seconds[-1] - seconds[0]) if len(trace) else 0.0,
        clients=[_client(trace, name) for name in sorted(names)],
        cluster=list(dict.fromkeys(f"{e.pod} is {e.change}" for e in changes)),
        kinds=trace.counts(),
    )


def _client(trace: Trace, name: str) -> ClientSummary:
    mine = trace.of(who=name)
    counts = mine.counts()
    ended = mine.of("CallEnded")

    def words(field: str) -> dict[str, int]:
        return {trace.word(code): n for code, n in _tally(ended.column("CallEnded", field))}

    codes = _tally(ended.column("CallEnded", "code"))
    carried = _tally(ended.column("CallEnded", "connection"))
    by_address: Counter[str] = Counter()
    for connection, count in carried:
        if address := trace.of_connection(connection):
            by_address[address] += count
    lists = mine.of("AddressListTaken")
    return ClientSummary(
        name=name,
        lookups=counts.get("LookupStarted", 0),
        queries=counts.get("QueryAnswered", 0),
        addresses=lists[-1].addresses.split(",") if len(lists) and lists[-1].count else [],
        dials=counts.get("ConnectStarted", 0),
        connected=counts.get("Connected", 0),
        failed_dials=counts.get("ConnectFailed", 0),
        lost=counts.get("ConnectionLost", 0),
        calls=counts.get("CallStarted", 0),
        by_pod={pod: n for pod, n in sorted(words("pod").items()) if pod},
        by_address=dict(sorted(by_address.items())),
        by_status={STATUS_NAMES[code]: n for code, n in codes},
    )


def _tally(column: Any) -> list[tuple[int, int]]:
    values, counts = np.unique(column, return_counts=True)
    return list(zip(values.tolist(), counts.tolist(), strict=True))
