"""What a trace says, as the columns that figures are drawn from. Nothing is made up here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from greetlab.clusters.cluster import Pod
from greetlab.trace.replay import replayed
from greetlab.trace.trace import KINDS, Trace, owner
from greetlab.views.palette import PodStyle, pod_styles
from greetlab.views.plot.columns import Column, Facts, distinct

_OF_THE_CLUSTER = [KINDS.index("PodChanged")]
_OF_A_CLIENT = ("CallStarted", "ChannelStateChanged", "SubchannelCreated", "ConnectStarted")


def in_order(names: Iterable[str]) -> list[str]:
    """The names, each once, as people count: pod-9 before pod-10."""
    return sorted(
        set(names),
        key=lambda name: [int(n) if n.isdigit() else n for n in re.split(r"(\d+)", name)],
    )


@dataclass(frozen=True)
class LookupColumns:
    """Lookups; times in seconds, NaN for one that has not ended. Words by their numbers."""

    start: Column
    end: Column
    count: Column
    addresses: Column
    status: Column


@dataclass(frozen=True)
class CallColumns:
    """Calls in the order of their start; times in seconds, NaN for what did not happen.

    pod: who answered: row of `Reading.pods`, -1 for nobody. ok: false also while it has not ended.
    carrier: `key` of the connection that it was sent on, -1 for none.
    """

    start: Column
    queued: Column
    picked: Column
    end: Column
    ok: Column
    pod: Column
    carrier: Column


@dataclass(frozen=True)
class ConnectionColumns:
    """Attempts to connect, in their order; times in seconds, NaN for what did not happen.

    up: it was established. down: it was lost, or (`lost` is false) closed with its subchannel.
    failed: it never came up. key: which one it is. owner: its subchannel's number.
    pod: row of `Reading.pods`, -1 where the trace does not tell. address: a word's number.
    graceful: 0 unknown, 1 yes, 2 no.
    """

    key: Column
    start: Column
    up: Column
    down: Column
    failed: Column
    lost: Column
    graceful: Column
    owner: Column
    address: Column
    routed: Column
    pod: Column


class Reading:
    """A trace on the clock of its first client's first event.

    It draws what the view `trace` has; what it takes to name that (which pod has which address,
    which connection was already open) is read from the whole of it.

    pods: those of the cluster, to name addresses that answered nothing.
    """

    def __init__(self, trace: Trace, pods: Iterable[Pod] = ()) -> None:
        if not isinstance(trace, Trace):
            raise TypeError(f"this picture is drawn from a Trace, such as channel.trace: {trace!r}")
        core = trace.core
        self.trace = trace
        self.world = trace.world
        self._ip_names = {pod.ip: pod.name for pod in pods}
        codes = [KINDS.index(kind) for kind in _OF_A_CLIENT]
        self.clients = distinct(core.who[trace.rows[np.isin(core.kind[trace.rows], codes)]])
        mine = trace.rows[np.isin(core.who[trace.rows], self.clients)]
        first = mine if len(mine) else trace.rows
        self.origin: int = int(core.time_ns[first[0]]) if len(first) else 0
        self.begin: float = self.moment(core.time_ns[trace.rows[0]]) if len(trace) else 0.0
        self.seconds: float = self.moment(core.time_ns[trace.rows[-1]]) if len(trace) else 0.0
        """When the view ends; `begin`, when it begins."""
        self.view = Facts(trace, mine, self.origin)
        """What the view shows of the clients."""
        self.whole = (
            self.view
            if len(trace) == len(core)
            else Facts(trace, np.flatnonzero(np.isin(core.who, self.clients)), self.origin)
        )
        """All that the trace has of them."""
        self.cluster = Facts(
            trace, np.flatnonzero(np.isin(core.kind, _OF_THE_CLUSTER)), self.origin
        )
        """What happened to the pods."""

    def moment(self, time_ns: int) -> float:
        """A time of the world's clock, on ours."""
        return (int(time_ns) - self.origin) / 1e9

    # Names.

    @cached_property
    def pods(self) -> list[str]:
        """Every pod that the trace, or `pods`, names, in order."""
        answered = distinct(self.whole.column("CallEnded", "pod"))
        changed = distinct(self.cluster.column("PodChanged", "pod"))
        numbers = {int(n) for n in (*answered, *changed)} - {0}
        return in_order([*(self.trace.word(n) for n in numbers), *self._ip_names.values()])

    @cached_property
    def styles(self) -> dict[str, PodStyle]:
        """How each pod is drawn."""
        return pod_styles(self.pods)

    def _pod_rows(self, words: Column) -> Column:
        table = np.full(len(self._word_numbers), -1)
        for row, name in enumerate(self.pods):
            if name in self._word_numbers:
                table[self._word_numbers[name]] = row
        return table[words]

    @cached_property
    def _word_numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.trace.core.words)}

    @cached_property
    def title(self) -> str:
        """The service and the policy, as its lookups and pickers tell; or how many clients."""
        clients = {owner(self.trace.word(int(who))) for who in self.clients}
        if len(clients) > 1:
            return f"{len(clients):,} clients"
        looked_up = distinct(self.whole.column("LookupStarted", "name"))
        pickers = distinct(self.whole.column("PickerPublished", "picker"))
        services = [self.trace.word(int(name)).split(".")[0] for name in looked_up]
        policies = [self.trace.word(int(picker)) for picker in pickers]
        return ", ".join([*services, *(p for p in policies if p not in ("queue", "fail"))])

    # What there was: the core's replay (cpp/trace/replay.h), on our clock.

    def _table(self, name: str, shown: Column) -> dict[str, Column]:
        """Of the view's clients, as far as it is shown."""
        columns = replayed(self.trace.core, name, shown)
        mine = np.isin(columns["client"], self.clients)
        return {name: column[mine] for name, column in columns.items()}

    @cached_property
    def _shown(self) -> Column:
        """Which events the view has."""
        shown = np.zeros(len(self.trace.core), dtype=bool)
        shown[self.trace.rows] = True
        return shown

    def _when(self, rows: Column) -> Column:
        return np.where(rows >= 0, (self._time_ns[rows] - self.origin) / 1e9, np.nan)

    @cached_property
    def _time_ns(self) -> Column:
        return np.append(self.trace.core.time_ns, 0)  # for row -1

    @cached_property
    def lookups(self) -> LookupColumns:
        """The lookups of the view's clients, in the order of their start."""
        found = self._table("lookups", self._shown)
        return LookupColumns(
            start=self._when(found["start"]),
            end=self._when(found["end"]),
            **{name: found[name] for name in ("count", "addresses", "status")},
        )

    @cached_property
    def calls(self) -> CallColumns:
        """The calls that were started in the view."""
        found = self._table("calls", self._shown)
        found = {name: column[found["start"] >= 0] for name, column in found.items()}
        over = found["end"] >= 0
        return CallColumns(
            **{name: self._when(found[name]) for name in ("start", "queued", "picked", "end")},
            ok=over & (found["code"] == 0),
            pod=np.where(over, self._pod_rows(found["pod"]), -1),
            carrier=found["connection"],
        )

    @cached_property
    def connections(self) -> ConnectionColumns:
        """Every attempt of the view's clients that reaches into the view."""
        found = self._table("connections", np.full(len(self.trace.core), True))
        subchannel = np.append(self.trace.core.table("subchannels")["id"], -1)
        columns = ConnectionColumns(
            key=found["place"],
            start=self._when(found["start"]),
            up=self._when(found["up"]),
            down=np.fmin(self._when(found["lost"]), self._when(found["closed"])),
            failed=self._when(found["failed"]),
            lost=found["lost"] >= 0,
            graceful=found["graceful"],
            owner=subchannel[found["subchannel"]],
            address=found["address"],
            routed=found["endpoint"],
            pod=self._connection_pods(found),
        )
        ended = np.fmin(columns.down, columns.failed)
        seen = (columns.start <= self.seconds) & ~(ended < self.begin)
        return ConnectionColumns(**{name: column[seen] for name, column in vars(columns).items()})

    def _connection_pods(self, found: dict[str, Column]) -> Column:
        """By who answered on it first; else by whose address it leads to, as the cluster says."""
        known = self._pod_rows(found["pod"])
        place = np.where(found["endpoint"] > 0, found["endpoint"], found["address"])
        table = np.full(len(self._word_numbers), -1)
        for word, number in self._word_numbers.items() if self._ip_names else ():
            if (name := self._ip_names.get(word.rsplit(":", 1)[0])) is not None:
                table[number] = self.pods.index(name)
        told = self.cluster.column("PodChanged", "address")
        for number in distinct(told).tolist():
            pods = self._pod_rows(self.cluster.column("PodChanged", "pod")[told == number])
            for address in self.trace.word(number).split(","):
                table[self._word_numbers.get(address, number)] = pods[-1]
        return np.where(known >= 0, known, table[place])
