"""The day that each design lives through, and what became of it."""

from __future__ import annotations

import heapq
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from greetlab.clusters.cluster import Cluster
from greetlab.commands.compare.designs import DESIGNS, Design

if TYPE_CHECKING:
    from greetlab.channels.calls import Calls
    from greetlab.channels.greet_channel import GreetChannel
    from greetlab.clusters.local import LocalCluster
    from greetlab.clusters.sim import SimChannel, SimCluster
    from greetlab.trace.trace import Trace

WORLDS = ("sim", "local")
CLIENTS = 4
RATE = 50.0
"""Calls a second of each client, at random moments."""
PODS, MORE = 3, 5
TIMEOUT = 1.0
SERVICE_TIME = "exponential 2ms"
COOLDOWN = 1.0
"""Seconds between a client's lookups, for which gRPC has 30: the day's events come in seconds that
in life come in minutes, and so does this.
"""
PRE_STOP = 0.5
"""Seconds that a pod waits before it ends. It is less than `COOLDOWN`, as it often is in life: a
client that has just looked the name up, as one with a connection age has, hears of it too late.
"""
SLOWER = 0.05
"""Seconds more that the slow pod takes for a call."""

SCALED, JUDGED, KILLED, REPLACED, SLOWED, WELL, ROLLED, END = 2, 5, 6, 7, 8, 10, 11, 14
"""Seconds: when it happens. From `JUDGED` to `KILLED` the shares are judged, with all pods well."""


class Answered(NamedTuple):
    """One call. start, latency: seconds; pod: "" where none answered."""

    start: float
    latency: float
    ok: bool
    pod: str


@dataclass(frozen=True)
class Score:
    """What a design made of the day, in one world.

    kind: who decides; see `Design`. failed: calls, of `calls`. p50, p99: seconds, of those that
        were answered.
    unfairness: the busiest pod's calls as a multiple of its fair share, while all five were well; 1
        is fair.
    connections: that the clients made, and the proxy that reads calls made to the pods.
    new_pod: seconds from the scale-up until each of the new pods had been called; None: never,
        until the next event.
    lookups: how often the clients asked DNS.
    cpu: microseconds of processor a call, of clients, DNS and what stands between (not the pods);
        None in the sim, which has none, and where the client is a process of its own.
    parts: what is to be operated.
    """

    world: str
    design: str
    kind: str
    calls: int
    failed: int
    p50: float
    p99: float
    unfairness: float
    connections: int
    new_pod: float | None
    lookups: int
    cpu: float | None
    parts: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has no NaN."""
        told = asdict(self)
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in told.items()}


def run(
    worlds: Sequence[str] = WORLDS,
    seed: int = 1,
    designs: Sequence[Design] = DESIGNS,
    *,
    pace: float = 1.0,
) -> Iterator[Score]:
    """Each design in turn, on a cluster of its own, as each has ended. In the local world that
    takes as long as the day does.

    pace: 0.5: the day's events come twice as fast, and there are half as many calls.
    """
    for world in worlds:
        for design in designs:
            if world in design.worlds:
                yield (_sim if world == "sim" else _local)(design, seed, pace)


def _options(design: Design, seed: int) -> dict[str, Any]:
    return {
        "pods": PODS,
        "seed": seed,
        "service_time": SERVICE_TIME,
        "endpoint_lag": 0.2,
        "pre_stop": PRE_STOP,
        **design.cluster,
    }


def _channel(design: Design) -> dict[str, Any]:
    return {"cooldown": COOLDOWN, **design.channel}


def _day(
    cluster: SimCluster | LocalCluster, pace: float
) -> list[tuple[float, Callable[[], object]]]:
    """What happens, and when."""
    events: list[tuple[float, Callable[[], object]]] = [
        (SCALED, lambda: cluster.scale(MORE)),
        (KILLED, lambda: cluster.kill("pod-1")),
        (REPLACED, lambda: cluster.scale(MORE)),  # as its Deployment does
        (SLOWED, lambda: cluster.slow("pod-2", SLOWER)),
        (WELL, lambda: cluster.slow("pod-2", 0)),
        (ROLLED, lambda: cluster.rollout()),
    ]
    return [(at * pace, what) for at, what in events]


def _moments(seed: int, client: int, pace: float) -> list[float]:
    """When a client calls."""
    chance = random.Random(f"{seed} {client}")
    at, found = 0.0, []
    while (at := at + chance.expovariate(RATE)) < END * pace:
        found.append(at)
    return found


# The simulator: a clock that jumps from one call to the next.


def _sim(design: Design, seed: int, pace: float) -> Score:
    assert design.target is not None
    cluster = Cluster.sim(**_options(design, seed))
    target, options = design.target, _channel(design)
    channels = [cluster.channel(target, **options) for _ in range(CLIENTS)]
    if not design.per_call:
        for channel in channels:
            channel.wait_ready()
    begun = cluster.seconds
    loads: list[tuple[SimChannel, Any]] = []
    order = count()  # of what happens at the same moment
    todo = [(at, next(order), what) for at, what in _day(cluster, pace)]

    def call(client: int) -> None:
        channel = cluster.channel(target, **options) if design.per_call else channels[client]
        loads.append((channel, channel.start(1, timeout=TIMEOUT)))
        if design.per_call:
            end = cluster.seconds - begun + TIMEOUT
            heapq.heappush(todo, (end, next(order), channel.close))

    for client in range(CLIENTS):
        moments = _moments(seed, client, pace)
        todo += [(at, next(order), partial(call, client)) for at in moments]
    heapq.heapify(todo)
    while todo:
        at, _, what = heapq.heappop(todo)
        cluster.run(max(begun + at - cluster.seconds, 0))
        what()
    cluster.run(begun + END * pace + TIMEOUT - cluster.seconds)
    answered = []
    for channel, load in loads:
        answered += _answered(channel.calls(load), begun * 1e9)
    trace = cluster.trace
    return _score(
        "sim", design, pace, answered, len(trace.of("Connected")), _lookups([trace]), None
    )


# Real processes: threads, and a clock that does not jump.


def _local(design: Design, seed: int, pace: float) -> Score:
    with Cluster.local(**_options(design, seed)) as cluster:
        targets = [design.target or cluster.sidecar() for _ in range(CLIENTS)]
        clients = [
            _LocalClient(cluster, design, target, _moments(seed, number, pace))
            for number, target in enumerate(targets)
        ]
        cpu = _cpu(cluster)
        began = time.monotonic()
        for client in clients:
            client.start(began)
        for at, what in _day(cluster, pace):
            _sleep_until(began + at)
            what()
        for client in clients:
            client.join()
        used = _cpu(cluster) - cpu
        answered = [one for client in clients for one in client.answered]
        traces = [trace for client in clients for trace in client.traces]
        connections = sum(client.connections for client in clients)
        for proxy in cluster.l7_proxies.values():
            connections += proxy.connections_made()
        for client in clients:
            client.close()
    # PyPI's grpcio calls from a process of its own.
    cost = None if "engine" in design.channel else used / max(len(answered), 1) * 1e6
    return _score("local", design, pace, answered, connections, _lookups(traces), cost)


class _LocalClient:
    """A thread that calls at its moments; many of its calls may be on their way."""

    def __init__(
        self, cluster: LocalCluster, design: Design, target: str, moments: list[float]
    ) -> None:
        opens = cluster.balancer.channel if design.asks else partial(cluster.channel, target)
        self._open: Callable[[], GreetChannel] = partial(opens, **_channel(design))
        self._per_call = design.per_call
        self._moments = moments
        self._channels: list[GreetChannel] = []
        self.traces: list[Trace] = []
        self.answered: list[Answered] = []
        self.connections = 0
        if not design.per_call:
            self._channels.append(self._open().wait_ready())

    def start(self, began: float) -> None:
        self._began = began
        self._thread = threading.Thread(target=self._run, name="greetlab-compare", daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()
        self.traces += [channel.trace for channel in self._channels]
        told = sum(len(trace.of("Connected")) for trace in self.traces)
        self.connections = max(told, self.connections)

    def close(self) -> None:
        for channel in self._channels:
            channel.close()

    def _run(self) -> None:
        if self._per_call:
            for at in self._moments:
                _sleep_until(self._began + at)
                self._call_once()
            return
        [channel] = self._channels
        calls = channel.load(
            len(self._moments), every=f"exponential {1e6 / RATE:.0f}us", timeout=TIMEOUT
        )
        self.answered = _answered(calls, self._began * 1e9)
        self.connections = len(calls.connections)  # gRPC's own channel tells no more

    def _call_once(self) -> None:
        start = time.monotonic()
        with self._open() as channel:
            calls = channel.greet("Ada", timeout=TIMEOUT)
            self.traces.append(channel.trace)
        took = time.monotonic() - start  # to connect is part of it
        [one] = _answered(calls, self._began * 1e9)
        self.answered.append(one._replace(start=start - self._began, latency=took))


def _sleep_until(moment: float) -> None:
    time.sleep(max(moment - time.monotonic(), 0))


def _cpu(cluster: LocalCluster) -> float:
    """Seconds of processor, of this process (clients, DNS) and of what stands between."""
    between = [*cluster.l7_proxies.values(), *cluster.proxies]
    return time.process_time() + sum(process.cpu_seconds() for process in between)


# The figures.


def _answered(calls: Calls, zero_ns: float) -> list[Answered]:
    names = [*calls.pods, ""]
    columns = (calls.start_ns, calls.latency_ns, calls.status, calls.pod)
    return [
        Answered((start - zero_ns) / 1e9, latency / 1e9, status == 0, names[pod])
        for start, latency, status, pod in zip(*(one.tolist() for one in columns), strict=True)
    ]


def _lookups(traces: Sequence[Trace]) -> int:
    return sum(len(trace.of("LookupStarted")) for trace in traces)


def _score(
    world: str,
    design: Design,
    pace: float,
    answered: Sequence[Answered],
    connections: int,
    lookups: int,
    cpu: float | None,
) -> Score:
    good = [one for one in answered if one.ok]
    p50, p99 = np.percentile([one.latency for one in good], [50, 99]) if good else (math.nan,) * 2
    shares = Counter(one.pod for one in good if JUDGED * pace <= one.start < KILLED * pace)
    first: dict[str, float] = {}
    for one in sorted(good):
        first.setdefault(one.pod, one.start)
    new = [first.get(f"pod-{number + 1}", math.inf) for number in range(PODS, MORE)]
    late = max(new)
    return Score(
        world=world,
        design=design.name.strip(),
        kind=design.kind,
        calls=len(answered),
        failed=len(answered) - len(good),
        p50=float(p50),
        p99=float(p99),
        unfairness=max(shares.values(), default=0) * MORE / max(shares.total(), 1),
        connections=connections,
        new_pod=late - SCALED * pace if late < KILLED * pace else None,
        lookups=lookups,
        cpu=cpu,
        parts=tuple(design.parts),
    )
