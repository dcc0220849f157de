"""The same few verbs for every engine: what an adapter is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from conformance.model import Client, Outcome

from greetlab._core import MethodAnswer
from greetlab.channels.calls import Calls

SEED = 20
"""Of every cluster: what is random in it (DNS order, the ClusterIP's picks) is the same again."""


class Caller(ABC):
    """A client of the cluster."""

    @abstractmethod
    def calls(self, n: int, concurrency: int, timeout: float, wait_for_ready: bool) -> Outcome:
        """Makes calls and waits for the last one's end."""

    @abstractmethod
    def start(self, timeout: float) -> Callable[[], Outcome]:
        """Starts one wait_for_ready call; the result waits for its end."""

    @abstractmethod
    def background(self, concurrency: int) -> Callable[[], Outcome]:
        """Makes calls until the result is called. Returns when some have been answered."""

    @abstractmethod
    def wait_ready(self, all: bool, timeout: float) -> None:
        """Connects, until the channel is READY; all: until every pod's connection is."""

    def ask(self, path: str, metadata: Sequence[tuple[str, bytes]], timeout: float) -> MethodAnswer:
        """Calls a method, with metadata."""
        raise NotImplementedError("this client calls Greet only")

    @property
    @abstractmethod
    def state(self) -> str:
        """Connectivity state by name."""

    @abstractmethod
    def lookups(self) -> list[float]:
        """When it looked its service up: seconds, since whenever."""

    @abstractmethod
    def close(self) -> None:
        """Closes the channel."""


class Engine(ABC):
    """A cluster, and the way to open clients of it."""

    cluster: Any
    virtual = False
    """Whether its time is virtual, so that an hour may pass."""

    @abstractmethod
    def open(self, client: Client) -> Caller:
        """A new client."""

    @abstractmethod
    def until(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Waits until it holds, `timeout` seconds at most; whether it does."""

    @abstractmethod
    def hang(self, pod: str) -> None:
        """A pod's machine goes: connects to its address, which stays listed, get no answer."""

    @abstractmethod
    def hang_up(self, pod: str) -> None:
        """A pod dies; its address stays listed, and connections to it end at once."""

    @abstractmethod
    def silence(self, pod: str) -> None:
        """A pod says nothing more, on connections that it has, either; nothing ends them."""

    @abstractmethod
    def dials(self, pod: str) -> list[float]:
        """When somebody connected to the address of a pod that hangs up: seconds."""

    def connections(self) -> int:
        """How many connections have gone through the ClusterIP."""
        raise NotImplementedError("this world's ClusterIP does not count")

    def proxy_asked(self) -> int:
        """How often somebody connected to the watched proxy."""
        raise NotImplementedError("this world has no environment")

    def close(self) -> None:
        """Ends all of it."""
        self.cluster.close()


def merged(outcomes: Iterable[Outcome]) -> Outcome:
    """Several outcomes as one."""
    outcomes = list(outcomes)
    return Outcome(
        by_status=sum((Counter(o.by_status) for o in outcomes), Counter()),
        by_pod=sum((Counter(o.by_pod) for o in outcomes), Counter()),
        slowest=max(o.slowest for o in outcomes),
        quickest=min(o.quickest for o in outcomes),
        last_pod=outcomes[-1].last_pod,
        messages=tuple({message for o in outcomes for message in o.messages}),
    )


def outcome_of(calls: Calls) -> Outcome:
    """Of the calls that are not CANCELLED: those were given up by us."""
    kept = calls.status != 1
    seconds = calls.latency_ns[kept] / 1e9
    return Outcome(
        by_status={k: v for k, v in calls.by_status.items() if k != "CANCELLED"},
        by_pod=calls.by_pod,
        slowest=float(seconds.max(initial=0)),
        quickest=float(seconds.min(initial=1e9)),
        last_pod=calls[-1].pod if len(calls) else None,
        messages=tuple(calls.errors),
    )
