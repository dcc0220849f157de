"""The local cluster's adapters: the engines of `greetlab.Channel`, on real sockets."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from conformance.engine import SEED, Caller, Engine, merged, outcome_of
from conformance.impostor import Impostor
from conformance.model import Client, ClusterSpec, Outcome
from support import stop_process

import greetlab as gl
from greetlab._core import MethodAnswer
from greetlab.channels.channel import Channel
from greetlab.channels.service_config import ServiceConfigWarning

POLL = 0.005
"""Seconds between two looks at a condition that is waited for."""


class Environment:
    """Variables of this process that are set for a while."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    def set(self, values: Mapping[str, str]) -> None:
        """Sets some."""
        for name, value in values.items():
            self._before.setdefault(name, os.environ.get(name))
            os.environ[name] = value

    def restore(self) -> None:
        """As they were."""
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class RealCaller(Caller):
    """A client on real sockets: what is common to all of them."""

    def __init__(self, engine: LocalEngine, client: Client) -> None:
        self._engine = engine
        self._client = client
        self._name = f"{client.service}.default.svc.cluster.local"
        self._before = len(self._queries())

    def start(self, timeout: float) -> Callable[[], Outcome]:
        pool = ThreadPoolExecutor(1)
        future = pool.submit(self.calls, 1, 1, timeout, True)
        pool.shutdown(wait=False)
        return lambda: future.result(timeout + 5)

    def background(self, concurrency: int) -> Callable[[], Outcome]:
        done: list[Outcome] = []
        stop = threading.Event()

        def go_on() -> None:
            while not stop.is_set():
                done.append(self.calls(4 * concurrency, concurrency, 5.0, False))

        pool = ThreadPoolExecutor(1)
        future = pool.submit(go_on)
        pool.shutdown(wait=False)

        def result() -> Outcome:
            before = len(done)  # some calls also after the last deed
            assert self._engine.until(lambda: len(done) > before or future.done(), 10)
            stop.set()
            future.result(10)
            return merged(done)

        assert self._engine.until(lambda: bool(done) or future.done(), 10)
        return result

    def lookups(self) -> list[float]:
        return self._queries()[self._before :]

    def _queries(self) -> list[float]:
        queries = self._engine.cluster._discovery.dns.queries
        return [q.at_ns / 1e9 for q in queries if q.type == "A" and q.name.lower() == self._name]


class LocalEngine(Engine):
    """The local cluster with an engine of `greetlab.Channel`."""

    def __init__(self, spec: ClusterSpec, engine: str) -> None:
        self.engine = engine
        self.cluster = gl.Cluster.local(
            spec.pods,
            endpoint_lag=3600.0 if spec.listed_when_dead else 0.0,
            max_connection_age=spec.max_connection_age,
            max_concurrent_streams=spec.max_concurrent_streams,
            seed=SEED,
        )
        self._impostors: dict[str, Impostor] = {}
        self._proxy: Impostor | None = None
        self._environment = Environment()

    def open(self, client: Client) -> Caller:
        if client.watched_proxy:
            self._environment.set({"http_proxy": self.watched_proxy()})
        return NativeCaller(self, client)

    def until(self, holds: Callable[[], bool], timeout: float) -> bool:
        end = time.monotonic() + timeout
        while not (held := holds()) and time.monotonic() < end:
            time.sleep(POLL)
        return held

    def hang(self, pod: str) -> None:
        self._replace(pod, hang_up=False)

    def silence(self, pod: str) -> None:
        stop_process(self.cluster._pods.by_name[pod].server.popen.pid)

    def hang_up(self, pod: str) -> None:
        self._replace(pod, hang_up=True)

    def dials(self, pod: str) -> list[float]:
        return list(self._impostors[pod].accepted)

    def connections(self) -> int:
        return sum(fact["fact"] == "opened" for fact in self.cluster.proxy_facts)

    def proxy_asked(self) -> int:
        assert self._proxy is not None
        return len(self._proxy.accepted)

    def watched_proxy(self) -> str:
        """The URL of a proxy that serves nobody and counts who asks it."""
        self._proxy = Impostor("127.0.0.1", 0)
        return f"http://127.0.0.1:{self._proxy.port}"

    def target(self, client: Client) -> str:
        """The target of a client: its service, or its fixed list."""
        if not client.addresses:
            return str(self.cluster.target(client.service))
        ips = {pod.name: pod.ip for pod in self.cluster.pods}
        listed = [f"{ips[name]}:{self.cluster.port}" for name in client.addresses]
        return f"ipv4:{','.join(listed)}"

    def close(self) -> None:
        self._environment.restore()
        super().close()
        for impostor in (*self._impostors.values(), *filter(None, [self._proxy])):
            impostor.close()

    def _replace(self, pod: str, *, hang_up: bool) -> None:
        [ip] = [each.ip for each in self.cluster.pods if each.name == pod]
        self.cluster.kill(pod)
        self._impostors[pod] = Impostor(ip, self.cluster.port, hang_up=hang_up)


class NativeCaller(RealCaller):
    """`greetlab.channels.channel.Channel`, whichever its engine."""

    def __init__(self, engine: LocalEngine, client: Client) -> None:
        options: dict[str, Any] = {"engine": engine.engine}
        if client.policy is not None:
            options["policy"] = client.policy
        for name in ("cooldown", "keepalive_time", "keepalive_timeout", "idle_timeout"):
            if (value := getattr(client, name)) is not None:
                options[name] = value
        if client.shuffle:
            options["shuffle_address_list"] = True
        if client.service_config is not None:
            options["service_config"] = client.service_config
        with warnings.catch_warnings():  # what is taken, and what of it, is compared
            warnings.simplefilter("ignore", ServiceConfigWarning)
            self._channel = Channel(engine.target(client), **options)
        super().__init__(engine, client)

    def calls(self, n: int, concurrency: int, timeout: float, wait_for_ready: bool) -> Outcome:
        how = {"timeout": timeout, "wait_for_ready": wait_for_ready}
        return outcome_of(self._channel.load(n, concurrency, **how))

    def ask(self, path: str, metadata: Sequence[tuple[str, bytes]], timeout: float) -> MethodAnswer:
        return self._channel.call_method(path, metadata=metadata, timeout=timeout)

    def wait_ready(self, all: bool, timeout: float) -> None:
        self._channel.wait_ready(all=all, timeout=timeout)

    @property
    def state(self) -> str:
        return self._channel.state

    def close(self) -> None:
        self._channel.close()
