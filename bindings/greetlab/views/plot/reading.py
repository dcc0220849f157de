"""What a trace says, as the columns that figures are drawn from. Nothing is made up here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from greetlab.clusters.cluster import Pod
from greetlab.trace.trace import KINDS, STATES, Trace, owner
from greetlab.views.palette import PodStyle, pod_styles
from greetlab.views.plot.columns import Column, Facts, distinct, joined

_OF_THE_CLUSTER = [KINDS.index("PodChanged"), KINDS.index("ProxyRouted")]
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
    carrier: the connection that it was sent on, and its client; 0 for none.
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
    failed: it never came up. key, owner: the connection and the subchannel, each with the client.
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
        """What happened to the pods and in the ClusterIP."""

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

    # Lookups.

    @cached_property
    def lookups(self) -> LookupColumns:
        """The lookups of the view's clients, in the order of their start."""
        view = self.view
        started, ended = view.rows("LookupStarted"), view.rows("LookupEnded")
        # Each client has one at a time: in its own events an end comes next after its start.
        rows = np.concatenate([started, ended])
        who = self.trace.core.who[rows]
        order = np.lexsort((rows, who))
        nearest = (order[1:] >= len(started)) & (order[:-1] < len(started))
        nearest &= who[order[1:]] == who[order[:-1]]
        end = np.full(len(started), -1)
        end[order[:-1][nearest]] = order[1:][nearest] - len(started)
        over = end >= 0
        count = view.column("LookupEnded", "count")
        return LookupColumns(
            start=view.when("LookupStarted"),
            end=np.where(over, np.append(view.when("LookupEnded"), 0.0)[end], np.nan),
            count=np.where(over, np.append(count, 0)[end], 0),
            addresses=np.where(over, np.append(view.column("LookupEnded", "addresses"), 0)[end], 0),
            status=np.where(over, np.append(view.column("LookupEnded", "status"), 0)[end], 0),
        )

    # Calls.

    @cached_property
    def calls(self) -> CallColumns:
        """The calls that were started in the view."""
        view, nan = self.view, np.nan
        call = view.keys("CallStarted", "call")
        ended = view.keys("CallEnded", "call")
        code = joined(call, ended, view.column("CallEnded", "code"), -1)
        pod = self._pod_rows(view.column("CallEnded", "pod"))
        picked = view.keys("Picked", "call")
        queued = view.keys("CallQueued", "call")
        return CallColumns(
            start=view.when("CallStarted"),
            queued=joined(call, queued, view.when("CallQueued"), nan),
            picked=joined(call, picked, view.when("Picked"), nan),
            end=joined(call, ended, view.when("CallEnded"), nan),
            ok=code == 0,
            pod=joined(call, ended, pod, -1),
            carrier=joined(call, picked, view.keys("Picked", "connection"), 0),
        )

    # Connections.

    @cached_property
    def connections(self) -> ConnectionColumns:
        """Every attempt of the view's clients that reaches into the view."""
        whole, nan = self.whole, np.nan
        key = whole.keys("ConnectStarted", "connection")
        owner = whole.keys("ConnectStarted", "subchannel")
        start = whole.when("ConnectStarted")
        lost = whole.keys("ConnectionLost", "connection")
        up = joined(key, whole.keys("Connected", "connection"), whole.when("Connected"), nan)
        down = joined(key, lost, whole.when("ConnectionLost"), nan)
        closing = whole.column("SubchannelStateChanged", "to") == STATES.index("SHUTDOWN")
        closed = joined(
            owner,
            whole.keys("SubchannelStateChanged", "subchannel")[closing],
            whole.when("SubchannelStateChanged")[closing],
            nan,
        )
        refused = whole.keys("ConnectFailed", "connection")
        columns = ConnectionColumns(
            key=key,
            start=start,
            up=up,
            down=np.where(np.isnan(down), closed, down),
            failed=joined(key, refused, whole.when("ConnectFailed"), nan),
            lost=~np.isnan(down),
            graceful=joined(key, lost, whole.column("ConnectionLost", "graceful"), 0),
            owner=owner,
            address=self._addresses(owner),
            routed=self._routed(key),
            pod=np.full(len(key), -1),
        )
        columns.pod[:] = self._connection_pods(columns)
        ended = np.fmin(columns.down, columns.failed)
        seen = (start <= self.seconds) & ~(ended < self.begin)
        return ConnectionColumns(**{name: column[seen] for name, column in vars(columns).items()})

    def _addresses(self, owner: Column) -> Column:
        made = self.whole.keys("SubchannelCreated", "subchannel")
        return joined(owner, made, self.whole.column("SubchannelCreated", "address"), 0)

    def _routed(self, key: Column) -> Column:
        """Where the ClusterIP sent each connection: a word's number, 0 where there was none."""
        connection = self.cluster.column("ProxyRouted", "connection")
        endpoint = self.cluster.column("ProxyRouted", "endpoint")
        return joined(key & 0xFFFFFFFF, connection, endpoint, 0)

    def _connection_pods(self, columns: ConnectionColumns) -> Column:
        """By who answered on it first; else by whose address it leads to, as the cluster says."""
        pod = self._pod_rows(self.whole.column("CallEnded", "pod"))
        answered = self.whole.keys("CallEnded", "connection")[pod >= 0]
        answered, first = np.unique(answered, return_index=True)
        known = joined(columns.key, answered, pod[pod >= 0][first], -1)
        place = np.where(columns.routed > 0, columns.routed, columns.address)
        table = np.full(len(self._word_numbers), -1)
        for word, number in self._word_numbers.items() if self._ip_names else ():
            if (name := self._ip_names.get(word.rsplit(":", 1)[0])) is not None:
                table[number] = self.pods.index(name)
        told = self.cluster.column("PodChanged", "address")
        table[told] = self._pod_rows(self.cluster.column("PodChanged", "pod"))
        return np.where(known >= 0, known, table[place])
