"""A channel of PyPI's grpcio, with the methods of `_core.GreetChannel`.

What it tells is what gRPC tells: how calls ended, which pod answered and over which connection, as
that pod says; and, by channelz, its subchannels. It tells no decisions, and no states as they come:
gRPC shows those coalesced.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal

from greetlab import _core, arguments
from greetlab.channels.grpcio.process import NUMBERS, hold, release
from greetlab.channels.policies import AnyPolicy, policy_name
from greetlab.channels.service_config import AnyServiceConfig

HELP = "PyPI's grpcio, the newest gRPC, in a process of its own; `pip install 'greetlab[grpcio]'`"

CANCELLED = 1
GREET = "/greet.GreetService/Greet"

POLICIES = (
    "pick_first",
    "round_robin",
    "weighted_round_robin",
    "ring_hash_experimental",
    "outlier_detection_experimental",
)
"""Those of ours that gRPC's C-core has."""

DEAF_TO = ("source_ip", "frames")
"""Options that it cannot be told."""

_FOREVER_MS = 2**31 - 1
_MOMENT = 1.0
"""Seconds that cancelled calls may take to end."""


class GrpcioChannel:
    """One channel in grpcio's process.

    options: values of the core's channel options.
    service_config: as it is, sense or none; it stands in the policy's place.
    xds_bootstrap: what GRPC_XDS_BOOTSTRAP_CONFIG would say; "": gRPC reads its environment.

    Raises ValueError where grpcio is not installed, for a policy that gRPC has not, and for options
    that it cannot be told.
    """

    def __init__(
        self,
        target: str,
        name: str,
        policy: AnyPolicy,
        options: Mapping[str, Any],
        *,
        service_config: AnyServiceConfig | None = None,
        xds_bootstrap: str = "",
    ) -> None:
        if target.startswith(("watch:", "k8s:")):
            raise ValueError(
                f"target {target!r}: gRPC's own channel asks DNS, and nobody can tell it anything; "
                "the engine 'lab' is told (watch:///, k8s:///)"
            )
        usual = {name: default for name, default, _ in _core.channel_options()}
        told = {name: value for name, value, _ in _core.channel_options(**options)}
        for option in DEAF_TO:
            if told[option] != usual[option]:
                raise ValueError(
                    f"{option}: the engine 'grpcio' cannot be told; the engine 'lab' can"
                )
        tls = (told["tls"], told["ca"], told["cert"], told["key"])
        ca, cert, key = _core.read_credentials(*tls)
        if service_config is None:
            service_config = _service_config(policy)
        elif not isinstance(service_config, str):
            service_config = json.dumps(service_config)
        channel_arguments = _arguments(told, service_config)
        if xds_bootstrap:
            # An xDS client of its own, whom the control plane can tell from others, as in
            # cpp/oracle/native_channel.cc; grpcio has no public name for it.
            channel_arguments.append(
                ("grpc.TEST_ONLY_DO_NOT_USE_IN_PROD.xds_bootstrap_config", xds_bootstrap)
            )
        self._own_connections = told["connection_per_call"]
        self._calls = _core.ToldCalls(name, told["trace_capacity"])
        self._worker = hold()
        self._owner = os.getpid()
        self._number = self._worker.number()
        self._closed = False
        self._last_gives_back = False
        self._closing: Future[Any] | None = None
        self._inside: list[int] = []  # threads
        self._left = threading.Condition(threading.RLock())
        try:
            self._worker.ask(
                "open",
                channel=self._number,
                target=target.replace("static:[", "ipv6:[").replace("static:", "ipv4:"),
                options=channel_arguments,
                credentials=(ca or None, cert or None, key or None) if told["tls"] else None,
                own_connections=self._own_connections,
            )
        except BaseException:
            release(self._worker)
            raise

    def run(
        self,
        first_name: str,
        last_name: str,
        calls: int,
        concurrency: int,
        interval: arguments.Time,
        timeout: float,
        wait_for_ready: bool,
        metadata: Sequence[tuple[str, bytes]],
        key_header: str,
        keys: int,
        keep_results: bool,
        seed: int,
    ) -> _core.CallLog:
        """Makes calls, and says what became of each.

        metadata: of all of them. keys: each says in `key_header` which of so many it is, by turns.
        """
        _core.check_method(GREET, [*metadata, *([(key_header, b"1")] if keys else [])])
        first = self._worker.number() * NUMBERS
        started: list[int] = []
        ended: dict[int, tuple[int, int, bytes, str]] = {}

        def hear(news: tuple[Any, ...]) -> None:
            what, call, at_ns, *rest = news
            if what == "started":
                started.append(at_ns)
                self._calls.started(call, at_ns, *rest)
            else:
                code, response, message = rest
                ended[call - first] = (at_ns, code, response, message)
                self._calls.ended(call, at_ns, code, response, message)

        how = {
            "first_call": first,
            "request": _core.greeting_request(first_name, last_name),
            "n": calls,
            "concurrency": concurrency,
            "gaps_ns": _core.draws(interval, calls, seed),
            "timeout": timeout,
            "wait_for_ready": wait_for_ready,
            "metadata": list(metadata),
            "keys": (key_header, keys),
        }
        self._worker.listen(first // NUMBERS, hear)
        try:
            self._do("run", None, cancel=first, **how)
        finally:
            self._worker.listen(first // NUMBERS, None)
        now = time.monotonic_ns()
        rows = [(at_ns, *ended[row]) for row, at_ns in enumerate(started)]
        rows += [(now, now, CANCELLED, b"", "not started: cancelled")] * (calls - len(rows))
        return _core.call_log(rows, keep_results, self._own_connections)

    def call_method(
        self,
        path: str,
        message: bytes,
        metadata: Sequence[tuple[str, bytes]],
        timeout: float,
        wait_for_ready: bool,
        stream: bool,
        most: int,
    ) -> _core.MethodAnswer:
        """Calls any method."""
        _core.check_method(path, list(metadata))
        call = self._worker.number() * NUMBERS

        def hear(news: tuple[Any, ...]) -> None:
            tell = self._calls.started if news[0] == "started" else self._calls.ended
            tell(*news[1:])

        how = {
            "number": call,
            "path": path,
            "message": message,
            "metadata": list(metadata),
            "timeout": timeout,
            "wait_for_ready": wait_for_ready,
            "stream": stream,
            "most": most,
        }
        closed: tuple[Any, ...] = (CANCELLED, "the channel is closed", [], [], [])
        self._worker.listen(call // NUMBERS, hear)
        try:
            return _core.MethodAnswer(*self._do("method", closed, cancel=call, **how))
        finally:
            self._worker.listen(call // NUMBERS, None)

    def wait_ready(self, all: bool, timeout: float) -> Literal["ready", "timeout", "closed"]:
        """Connects, and waits."""
        how: Literal["ready", "timeout", "closed"]
        how = self._do("await_ready", "closed", all=all, timeout=timeout)
        return how

    def wait_for_pods(self, pods: int, timeout: float) -> Literal["ready", "timeout", "closed"]:
        """Raises ValueError: gRPC looks a name up again when it thinks so."""
        raise ValueError(
            "wait for pods: gRPC's own channel cannot be told to look a name up again; the engine "
            "'lab' can"
        )

    @property
    def state(self) -> str:
        """Its connectivity state."""
        return str(self._do("state", "SHUTDOWN"))

    def subchannels(self) -> list[_core.SubchannelView]:
        """Its subchannels, as channelz shows them."""
        return [_core.SubchannelView(*each) for each in self._do("subchannels", [])]

    def trace(self, world: str) -> _core.Trace:
        """That calls began and how they ended."""
        return self._calls.trace(world)

    def flush(self) -> None:
        """Nothing waits to be written."""

    def tell_pod_changed(self, pod: str, addresses: Sequence[str], change: str, ends: bool) -> None:
        """Its trace has no decisions that it would explain."""

    def tell_endpoints_changed(
        self, service: str, endpoints: Sequence[object], lag: float = 0.0
    ) -> None:
        """As `tell_pod_changed`."""

    def tell_xds(self, client: str, step: str, type: str, version: str, detail: str) -> None:
        """Puts a message of an xDS stream into the trace."""
        self._calls.tell_xds(client, step, type, version, detail)

    def tell_proxy(self, proxy: str, endpoint: str, connections: int, calls: int) -> None:
        """Puts into the trace what a proxy says of one of its endpoints."""
        self._calls.tell_proxy(proxy, endpoint, connections, calls)

    def close(self) -> None:
        """Cancels what is in flight and closes the connections.

        Waits until nobody is inside; from a signal handler, which runs on a thread that may be, it
        does not: then the last to leave gives the worker back.
        """
        if os.getpid() != self._owner:
            return
        with self._left:
            if self._closed:
                return
            self._closed = True
            self._closing = self._worker.start("close", channel=self._number)
            self._last_gives_back = threading.get_ident() in self._inside
            if self._last_gives_back:
                return
            self._left.wait_for(lambda: not self._inside)
        self._give_back()

    def _do(self, what: str, closed: Any, *, cancel: int | None = None, **how: Any) -> Any:
        """Has the worker do something to this channel, and waits for it; `closed`: what it is where
        nothing can be done any more. cancel: the call that is cancelled where that is cut short.
        """
        with self._left:
            if self._closed and os.getpid() == self._owner:
                return closed
            future = self._worker.start("ask", channel=self._number, what=what, how=how)
            self._inside.append(threading.get_ident())
        try:
            return future.result()
        except BaseException:
            if cancel is not None and not future.done():
                self._worker.start("ask", channel=self._number, what="cancel", how={"call": cancel})
                with contextlib.suppress(RuntimeError, TimeoutError):  # so that the trace has ends
                    future.result(_MOMENT)
            raise
        finally:
            with self._left:
                self._inside.remove(threading.get_ident())
                last = self._last_gives_back and not self._inside
                self._left.notify_all()
            if last:
                self._give_back()

    def _give_back(self) -> None:
        assert self._closing is not None
        with contextlib.suppress(RuntimeError):  # it has ended, and everything with it
            self._closing.result()
        release(self._worker)


def _service_config(policy: AnyPolicy) -> str | None:
    if policy == "pick_first":
        return None  # its own default, and left to it
    if isinstance(policy, type):
        raise ValueError(f"policy {policy_name(policy)}: one of your own has the engine 'lab' only")
    return json.dumps({"loadBalancingConfig": [_entry(policy)]})


def _entry(policy: Any) -> dict[str, Any]:
    ((name, told),) = ({policy: {}} if isinstance(policy, str) else policy).items()
    if name not in POLICIES:
        raise ValueError(
            f"policy {name!r}: gRPC's own channel takes {', '.join(POLICIES[:-1])} or "
            f"{POLICIES[-1]}"
        )
    fields = dict(told)
    if (child := fields.get("childPolicy")) is not None:
        fields["childPolicy"] = [_entry(child[0] if isinstance(child, list) else child)]
    return {name: fields}


def _milliseconds(seconds: float) -> int:
    return min(-int(-seconds * 1000 // 1), _FOREVER_MS)


def _arguments(told: Mapping[str, Any], service_config: str | None) -> list[tuple[str, Any]]:
    arguments: list[tuple[str, Any]] = [
        ("grpc.dns_min_time_between_resolutions_ms", _milliseconds(told["cooldown"])),
        (
            "grpc.client_idle_timeout_ms",
            _milliseconds(told["idle_timeout"]) if told["idle_timeout"] > 0 else _FOREVER_MS,
        ),
        ("grpc.service_config_disable_resolution", int(not told["dns_service_config"])),
        # Two channels would share their connections: two clients would look like one.
        ("grpc.use_local_subchannel_pool", 1),
        # gRPC asks the proxy of http_proxy for loopback addresses, too.
        ("grpc.enable_http_proxy", 0),
    ]
    if service_config is not None:
        arguments.append(("grpc.service_config", service_config))
    if told["keepalive_time"] > 0:
        timeout = _milliseconds(told["keepalive_timeout"])
        arguments += [
            ("grpc.keepalive_time_ms", _milliseconds(told["keepalive_time"])),
            ("grpc.keepalive_timeout_ms", timeout),
            # In C-core 1.85 (writing.cc) the timer of the former is never set, and 60 s pass: seen.
            ("grpc.http2.ping_timeout_ms", timeout),
            ("grpc.keepalive_permit_without_calls", int(told["keepalive_without_calls"])),
            # Its own limit of two pings that no data goes between is not A8's (grpc/grpc
            # doc/keepalive.md).
            ("grpc.http2.max_pings_without_data", 0),
        ]
    if told["server_name"]:
        arguments.append(("grpc.ssl_target_name_override", told["server_name"]))
    return arguments
