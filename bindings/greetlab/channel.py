"""A client's channel to a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from types import TracebackType
from typing import Self

from greetlab import _core
from greetlab.calls import Calls

ENGINES = ("grpc",)


class Channel:
    """A channel, with gRPC's own engine: its resolver, its policies, its connections.

    target: what gRPC is to connect to: "dns:///name:port", "dns://server:port/name:port",
        "ipv4:a:p,b:p".
    policy: "pick_first" (gRPC's default) or "round_robin".
    engine: "grpc".
    connection_per_call: dial anew for every call and hang up after it, as the worst clients do.
    title, world: what results and figures say about where they come from.
    pods: the names of the pods that could answer now; results show those that did not, too.

    It connects at the first call, or in `wait_ready`. Close it, or use it in a `with` block. May be
    used by several threads. A call that fails is a result like any other, never an exception.

    Raises ValueError for a policy or an engine that there is not.
    """

    def __init__(
        self,
        target: str,
        *,
        policy: str = "pick_first",
        engine: str = "grpc",
        connection_per_call: bool = False,
        title: str = "",
        world: str = "",
        pods: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(f"engine {engine!r}: there is {', '.join(map(repr, ENGINES))}")
        self.target = target
        self.policy = policy
        self.engine = engine
        self.title = title or target
        self.world = world
        self._pods = pods
        self._channel = _core.NativeChannel(target, policy, connection_per_call)
        self._connection_per_call = connection_per_call
        self._closed = False

    def greet(
        self, first_name: str, last_name: str = "", *, times: int = 1, timeout: float = 5.0
    ) -> Calls:
        """Says hello `times` times, one after the other, and keeps the words of each answer.

        timeout: seconds that each call may take.
        """
        return self._run(first_name, last_name, times, 1, timeout, keep_results=True)

    def load(
        self,
        n: int,
        concurrency: int = 64,
        *,
        first_name: str = "Ada",
        last_name: str = "Lovelace",
        timeout: float = 5.0,
    ) -> Calls:
        """Makes `n` calls with `concurrency` of them in flight at any time.

        A closed loop: when one ends the next begins. It runs in C++, without Python's lock.
        timeout: seconds that each call may take.
        """
        return self._run(first_name, last_name, n, concurrency, timeout, keep_results=False)

    def wait_ready(self, *, all: bool = False, timeout: float = 10.0) -> Self:
        """Connects, and waits until the channel is READY.

        all: wait until each of its subchannels is, too. A fresh round_robin channel is READY as
            soon as one is, and sends its first calls there: a cold start.

        Raises TimeoutError, with the state of each subchannel, if it takes above `timeout` seconds,
        and ValueError if somebody closes the channel meanwhile.
        """
        self._check_open()
        result = self._channel.wait_ready(all, timeout)
        if result == "closed":
            raise ValueError(f"{self.title}: this channel was closed while it was waited for")
        if result == "timeout":
            seen = ", ".join(f"{s.address} {s.state}" for s in self.subchannels)
            raise TimeoutError(
                f"{self.title}: not READY within {timeout} s; the channel is {self.state}, its "
                f"subchannels: {seen or 'none (no address yet)'}"
            )
        return self

    @property
    def state(self) -> str:
        """Connectivity state: IDLE, CONNECTING, READY, TRANSIENT_FAILURE or SHUTDOWN."""
        return self._channel.state

    @property
    def subchannels(self) -> list[_core.SubchannelView]:
        """The subchannels as gRPC's channelz shows them now: address, state, connections."""
        return self._channel.subchannels()

    def close(self) -> None:
        """Cancels what is in flight and closes the connections. Closing twice is fine."""
        self._closed = True
        self._channel.close()

    def _run(
        self,
        first_name: str,
        last_name: str,
        n: int,
        concurrency: int,
        timeout: float,
        keep_results: bool,
    ) -> Calls:
        self._check_open()
        _check_whole("the number of calls", n, 0)
        _check_whole("concurrency", concurrency, 1)
        if not timeout > 0:
            raise ValueError(f"timeout {timeout!r}: seconds, more than 0")
        log = self._channel.run(first_name, last_name, n, concurrency, timeout, keep_results)
        return Calls(log, title=self.title, world=self.world, known=self._pods())

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.title}: this channel is closed; open another one")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(s.address)}</td><td>{escape(s.state)}</td></tr>"
            for s in self.subchannels
        )
        return (
            f"<div><b>{escape(self.title)}</b> · engine {self.engine} · {self.state}</div><table>"
            f"<thead><tr><th>subchannel</th><th>state</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def __repr__(self) -> str:
        lines = [f"Channel {self.title} · engine {self.engine} · {self.state}"]
        lines += [f"  {s.address}  {s.state}" for s in self.subchannels]
        return "\n".join(lines)


def _check_whole(what: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} {value!r}: a whole number")
    if not least <= value <= 2**31 - 1:
        raise ValueError(f"{what} {value}: it is {least} at least")
