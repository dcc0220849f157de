"""The adapter of PyPI's grpcio, which runs in a process of its own."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from conformance.engine import Caller
from conformance.grpcio_process import GrpcioProcess
from conformance.local_engine import LocalEngine, RealCaller
from conformance.model import HEADLESS, Client, ClusterSpec, Outcome


class GrpcioEngine(LocalEngine):
    """The local cluster, and PyPI's grpcio in another process."""

    def __init__(self, spec: ClusterSpec, process: GrpcioProcess) -> None:
        super().__init__(spec, "grpcio")
        self._process = process
        self._own: list[GrpcioProcess] = []
        self.callers: list[GrpcioCaller] = []

    def open(self, client: Client) -> Caller:
        process = self._process
        if client.watched_proxy:  # an environment of its own
            process = GrpcioProcess(http_proxy=self.watched_proxy())
            self._own.append(process)
        self.callers.append(GrpcioCaller(self, client, process))
        return self.callers[-1]

    def first_backoff(self, client: Client) -> float:
        return client.first_backoff or 1.0

    def close(self) -> None:
        for caller in self.callers:
            caller.close()
        for process in self._own:
            process.close()
        super().close()


class GrpcioCaller(RealCaller):
    """A channel in the grpcio process."""

    def __init__(self, engine: GrpcioEngine, client: Client, process: GrpcioProcess) -> None:
        target = engine.target(client)
        options: list[tuple[str, Any]] = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0),
        ]
        if client.policy is not None or client.shuffle:
            how = {"shuffleAddressList": True} if client.shuffle else {}
            config = {"loadBalancingConfig": [{client.policy or "pick_first": how}]}
            options.append(("grpc.service_config", json.dumps(config)))
        for name, seconds in (
            ("grpc.dns_min_time_between_resolutions_ms", client.cooldown),
            ("grpc.initial_reconnect_backoff_ms", client.first_backoff),
            ("grpc.keepalive_time_ms", client.keepalive_time),
            ("grpc.keepalive_timeout_ms", client.keepalive_timeout),
            # In C-core 1.85 (writing.cc) the timer of the former is never set, and 60 s pass: seen.
            ("grpc.http2.ping_timeout_ms", client.keepalive_timeout),
            ("grpc.client_idle_timeout_ms", client.idle_timeout or None),
        ):
            if seconds is not None:
                options.append((name, round(seconds * 1000)))
        self._process = process
        self._closed = False
        super().__init__(engine, client)
        self._number = process.number()
        self._ask("open", target=target, options=options)

    def calls(self, n: int, concurrency: int, timeout: float, wait_for_ready: bool) -> Outcome:
        how = {"timeout": timeout, "wait_for_ready": wait_for_ready}
        rows = self._ask("calls", n=n, concurrency=concurrency, **how)
        statuses, pods, seconds, messages = zip(*rows, strict=True)
        return Outcome(
            by_status=Counter(statuses),
            by_pod=Counter(pod for pod in pods if pod),
            slowest=max(seconds),
            quickest=min(seconds),
            last_pod=pods[-1],
            messages=tuple(set(messages) - {""}),
        )

    def wait_ready(self, all: bool, timeout: float) -> None:
        self._ask("connect")
        if not self._engine.until(lambda: self.state == "READY", timeout):
            raise TimeoutError(f"not READY within {timeout} s; the channel is {self.state}")
        if all and self._client.policy == "round_robin" and self._client.service == HEADLESS:
            # grpcio shows no subchannels. But a picker that gives each pod a turn has them all.
            pods = set(self._client.addresses) or {p.name for p in self._engine.cluster.pods}
            assert self._engine.until(lambda: self._answering(len(pods)) == pods, timeout)

    def _answering(self, n: int) -> set[str]:
        return set(self.calls(n, 1, 5.0, False).by_pod)

    @property
    def state(self) -> str:
        return str(self._ask("state"))

    def close(self) -> None:
        if not self._closed:
            self._process.later("close", channel=self._number)
        self._closed = True

    def _ask(self, do: str, **arguments: Any) -> Any:
        return self._process.ask(do, channel=self._number, **arguments)
