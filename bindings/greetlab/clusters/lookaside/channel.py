"""The client of lookaside load balancing: it asks the balancer whom to call, and calls that pod.

Two round trips a call, and two things that can fail. What it picks by is not its own, so it has no
policy: to each pod that it is sent to it keeps a connection.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Unpack

from greetlab import _core
from greetlab.channels.calls import Calls
from greetlab.channels.channel import Channel
from greetlab.channels.greet_channel import GreetChannel, Load
from greetlab.channels.options import ChannelOptions
from greetlab.trace.merging import Part, merge
from greetlab.trace.trace import STATUS_NAMES, Trace

WHOM = "/greetlab.lookaside.Balancer/Whom"
_GREET = "/greet.GreetService/Greet"
_MOST_AT_ONCE = 64
"""Calls of a load that has moments to start at: a thread each."""

_Row = tuple[int, int, int, bytes, str]


class LookasideChannel(GreetChannel):
    """A client that asks before each call.

    balancer: "ip:port" of the balancer. service: whom it asks for.
    options: of its connections to the pods; see `ChannelOptions`.

    A call that was not told whom to call ends as the question did. Its timeout is for both.
    """

    world = "LOCAL"
    engine = "lab"

    def __init__(
        self, balancer: str, service: str, *, name: str, **options: Unpack[ChannelOptions]
    ) -> None:
        self.title = f"{service}, lookaside"
        self.name = name
        self._service = service.encode()
        self._options = options
        self._seeds = random.Random(options.get("seed"))
        self._balancer = Channel(f"static:{balancer}", name=f"{name}.1", world=self.world)
        self._pods: dict[str, Channel] = {}
        self._closed = False
        self._loads: set[threading.Event] = set()  # set where no call is waited for any more
        self._lock = threading.Lock()

    def _run(self, load: Load, *, keep_results: bool) -> Calls:
        if self._closed:
            raise ValueError(f"{self.title}: this channel is closed; open another one")
        _core.check_method(_GREET, _metadata(load, 0))
        now = time.monotonic_ns()
        gaps = _core.draws(load.every, load.n, self._seeds.getrandbits(64))
        due = accumulate(gaps[:-1], initial=now) if gaps else [now] * load.n
        todo = deque(enumerate(due))
        rows: list[_Row] = []
        over = threading.Event()
        with self._lock:
            self._loads.add(over)

        def work() -> None:
            while todo:
                try:
                    number, at_ns = todo.popleft()
                except IndexError:  # another one was quicker
                    return
                if over.wait(max(at_ns - time.monotonic_ns(), 0) / 1e9) and not self._closed:
                    return  # it was interrupted
                rows.append(self._call(load, number))

        workers = max(1, min(_MOST_AT_ONCE if gaps else load.concurrency, load.n))
        with ThreadPoolExecutor(workers, "greetlab-lookaside") as pool:
            try:
                for worker in [pool.submit(work) for _ in range(workers)]:
                    worker.result()
            finally:
                todo.clear()  # one that is interrupted starts no more of them
                over.set()
                with self._lock:
                    self._loads.discard(over)
        log = _core.call_log(sorted(rows), keep_results, False)
        return Calls(log, title=self.title, world=self.world)

    def _call(self, load: Load, number: int) -> _Row:
        began = time.monotonic_ns()
        try:
            code, response, message = self._ask_and_call(load, number, began)
        except ValueError:
            if not self._closed:
                raise
            code, response, message = STATUS_NAMES.index("CANCELLED"), b"", "the channel is closed"
        return began, time.monotonic_ns(), code, response, message

    def _ask_and_call(self, load: Load, number: int, began: int) -> tuple[int, bytes, str]:
        answer = self._balancer.call_method(
            WHOM, self._service, timeout=load.timeout, wait_for_ready=load.wait_for_ready
        )
        if answer.status == "OK":
            answer = self._to(answer.messages[0].decode()).call_method(
                _GREET,
                _core.greeting_request(load.first_name, load.last_name),
                metadata=_metadata(load, number),
                timeout=max(load.timeout - (time.monotonic_ns() - began) / 1e9, 1e-3),
                wait_for_ready=load.wait_for_ready,
            )
        response = answer.messages[0] if answer.messages else b""
        return STATUS_NAMES.index(answer.status), response, answer.error

    def _to(self, pod: str) -> Channel:
        with self._lock:
            if self._closed:
                raise ValueError(f"{self.title}: this channel is closed")
            if pod not in self._pods:
                name = f"{self.name}.{len(self._pods) + 2}"
                self._pods[pod] = Channel(
                    f"static:{pod}", name=name, world=self.world, **self._options
                )
            return self._pods[pod]

    def _channels(self) -> list[Channel]:
        with self._lock:
            return [self._balancer, *self._pods.values()]

    def _await_ready(self, all: bool, pods: int | None, timeout: float) -> bool:
        if pods is not None:
            raise ValueError(f"{self.title}: it knows no pods before it has asked for them")
        return self._balancer._await_ready(all, None, timeout)

    @property
    def state(self) -> str:
        """Of its connection to the balancer, without which it knows nobody."""
        return self._balancer.state

    @property
    def subchannels(self) -> Sequence[_core.SubchannelView]:
        """To the balancer, and then to each pod that it was ever sent to."""
        return [one for channel in self._channels() for one in channel.subchannels]

    @property
    def trace(self) -> Trace:
        """All that has happened so far: each call is two, the question and the greeting."""
        return merge(Part(one.name, one.trace) for one in self._channels())

    def close(self) -> None:
        """Cancels what is in flight and closes the connections. Closing twice is fine."""
        with self._lock:
            self._closed = True
            for over in self._loads:
                over.set()
        for channel in self._channels():
            channel.close()


def _metadata(load: Load, number: int) -> list[tuple[str, bytes]]:
    header, many = load.keys
    return [*load.metadata, (header, str(number % many + 1).encode())] if many else load.metadata
