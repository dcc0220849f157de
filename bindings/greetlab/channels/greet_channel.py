"""What every channel can do, in whichever world it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Protocol, Self

from greetlab import arguments
from greetlab.channels.calls import Calls
from greetlab.text import lines, markup
from greetlab.trace.trace import Event, Trace


class Subchannel(Protocol):
    """A subchannel now: "127.1.0.2:50051" and "READY"."""

    @property
    def address(self) -> str:
        """Where to."""

    @property
    def state(self) -> str:
        """Its connectivity state."""


@dataclass(frozen=True)
class Load:
    """Calls to make: to whom, how many, how many at a time or one every so many seconds."""

    first_name: str
    last_name: str
    n: int
    concurrency: int
    every: arguments.Time
    timeout: float
    wait_for_ready: bool
    metadata: list[tuple[str, bytes]] = field(default_factory=list)
    keys: tuple[str, int] = ("", 0)
    """Of call after call, the next of so many values of that header."""

    def checked(self) -> Self:
        """Itself. Raises ValueError or TypeError, in words, for what makes no sense."""
        arguments.whole("the number of calls", self.n, 0, _MOST_CALLS)
        arguments.whole("concurrency", self.concurrency, 1)
        arguments.time("every", self.every)
        arguments.timeout(self.timeout)
        for name in (self.first_name, self.last_name):
            arguments.word("a name", name)
        header, many = self.keys
        if header in (name for name, _ in self.metadata):
            raise ValueError(f"keys {header!r}: metadata has a value for it already")
        if header:
            arguments.whole(f"keys {header!r}", many, 1)
        return self


AnyMetadata = Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]]
"""What a call says beside its message: {"user-id": "ada"}, or pairs, where a name comes twice."""


def pairs(metadata: AnyMetadata) -> list[tuple[str, bytes]]:
    """As the core takes it. Raises TypeError, in words, for what is no metadata."""
    given = list(metadata.items() if isinstance(metadata, Mapping) else metadata)
    told = []
    for pair in given:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError(f"metadata {metadata!r}: {{name: value}}, or pairs of the two")
        name, value = pair
        if isinstance(value, str):
            value = value.encode()
        if not isinstance(value, bytes):
            raise TypeError(
                f"metadata {name!r}: its value {value!r} is a text, or bytes where the name ends "
                "with -bin"
            )
        told.append((name, value))
    return told


def one_key(keys: Mapping[str, int]) -> tuple[str, int]:
    """The header, and how many values it has; raises TypeError, in words, for what is neither."""
    if not isinstance(keys, Mapping) or len(keys) > 1:
        raise TypeError(f'keys {keys!r}: one header, and how many values: {{"user-id": 1000}}')
    return next(iter(keys.items()), ("", 0))


_MOST_CALLS = 50_000_000  # a load has its columns from the start: 40 bytes a call


class GreetChannel(ABC):
    """A channel to a service, and calls through it.

    It connects at the first call, or in `wait_ready`. Close it, or use it in a `with` block. A call
    that fails is a result like any other, never an exception.
    """

    title: str
    """What results and figures are called after."""
    name: str
    """Its name in the trace: "client-1"."""
    engine: str
    """Whose core makes the calls: "lab", ours, or one of gRPC's: "grpc", "grpcio"."""
    world: str
    """Where what it shows comes from: "SIM", "LOCAL", "KUBE"."""

    def greet(
        self,
        first_name: str = "Ada",
        last_name: str = "",
        *,
        times: int = 1,
        timeout: float = 5.0,
        wait_for_ready: bool = False,
        metadata: AnyMetadata = (),
    ) -> Calls:
        """Says hello `times` times, one after the other, and keeps the words of each answer. (In
        the sim nobody hears the names.)

        timeout: seconds that each call may take.
        wait_for_ready: wait for a connection where others fail.
        metadata: what each call says beside its message: {"user-id": "ada"}. Names are in lower
            case; a value is text, or bytes where the name ends with "-bin". At most 8.
        """
        load = Load(first_name, last_name, times, 1, 0.0, timeout, wait_for_ready, pairs(metadata))
        return self._run(load.checked(), keep_results=True)

    def load(
        self,
        n: int,
        concurrency: int = 64,
        *,
        first_name: str = "Ada",
        last_name: str = "Lovelace",
        every: arguments.Time = 0.0,
        timeout: float = 5.0,
        wait_for_ready: bool = False,
        metadata: AnyMetadata = (),
        keys: Mapping[str, int] = MappingProxyType({}),
    ) -> Calls:
        """Makes `n` calls with `concurrency` of them in flight at any time.

        A closed loop: when one ends the next begins. It runs in C++, without Python's lock.

        every: seconds from one call's start to the next one's, however many are in flight;
            "exponential 20ms": 20 ms on average, and at random, as the calls of many users come (a
            Poisson process); 0: the closed loop.
        timeout: seconds that each call may take.
        wait_for_ready: wait for a connection where others fail.
        metadata: of each call; see `greet`.
        keys: calls of many users in one load: {"user-id": 1000} is a header, and how many values it
            has: the first call says "1", the next "2", and after "1000" comes "1" again.
        """
        load = Load(
            first_name,
            last_name,
            n,
            concurrency,
            every,
            timeout,
            wait_for_ready,
            pairs(metadata),
            one_key(keys),
        )
        return self._run(load.checked(), keep_results=False)

    @abstractmethod
    def _run(self, load: Load, *, keep_results: bool) -> Calls:
        """Makes these calls; until the last one has ended."""

    def wait_ready(
        self, *, all: bool = False, pods: int | None = None, timeout: float = 10.0
    ) -> Self:
        """Connects, and waits until the channel is READY.

        all: wait until each of its subchannels is, too. A fresh round_robin channel is READY as
            soon as one is, and sends its first calls there: a cold start.
        pods: wait until that many subchannels are, and look the name up again until then, each
            second or as often as the cooldown lets it: for a client that may be there before the
            pods are. Stock gRPC has no such call; healthy connections never make it look again.

        Raises TimeoutError, with the state of each subchannel, if it takes above `timeout` seconds,
        and ValueError if somebody closes the channel meanwhile.
        """
        if pods is not None:
            arguments.whole("pods", pods, 1)
        if not self._await_ready(all, pods, timeout):
            seen = ", ".join(f"{s.address} {s.state}" for s in self.subchannels)
            raise TimeoutError(
                f"{self.title}: not READY within {timeout} s; the channel is {self.state}, its "
                f"subchannels: {seen or 'none (no address yet)'}"
            )
        return self

    @abstractmethod
    def _await_ready(self, all: bool, pods: int | None, timeout: float) -> bool:
        """See `wait_ready`. False: it took above `timeout`."""

    @property
    @abstractmethod
    def state(self) -> str:
        """Connectivity state: IDLE, CONNECTING, READY, TRANSIENT_FAILURE or SHUTDOWN."""

    @property
    @abstractmethod
    def subchannels(self) -> Sequence[Subchannel]:
        """The subchannels that there are now."""

    @property
    @abstractmethod
    def trace(self) -> Trace:
        """What has happened so far."""

    @abstractmethod
    def close(self) -> None:
        """Cancels what is in flight and closes the connections. Closing twice is fine."""

    def steps(self, first_name: str = "Ada") -> Iterator[Event]:
        """Says hello once and gives every event of it, in order; print them."""
        before = len(self.trace)
        self.greet(first_name)
        trace = self.trace
        return (trace[row] for row in range(before, len(trace)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        told = [f"Channel {self.title} · {self._engine_in_words()} · {self.state}"]
        told += [f"  {s.address}  {s.state}" for s in self.subchannels]
        return lines(told)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{markup(s.address)}</td><td>{markup(s.state)}</td></tr>"
            for s in self.subchannels
        )
        return (
            f"<div><b>{markup(self.title)}</b> · {self._engine_in_words()} · {self.state}</div>"
            "<table><thead><tr><th>subchannel</th><th>state</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )

    def _engine_in_words(self) -> str:
        return f"engine {self.engine}"
