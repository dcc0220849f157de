"""The virtual cluster: the same lab in a world where time is a number.

The load-balancing code is the very one that drives real connections (cpp/lb); the network, the DNS
and the pods are pretended. An hour of traffic costs milliseconds, and the same seed and the same
commands give the same events, byte for byte.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from greetlab import _core, arguments
from greetlab.channels.calls import Calls
from greetlab.channels.greet_channel import Client
from greetlab.channels.policies import AnyPolicy, channel_title, policy_config
from greetlab.clusters.cluster import Cluster, Pod
from greetlab.dns.lookup import Lookup
from greetlab.trace.trace import Trace


@dataclass(frozen=True)
class SimSubchannel:
    """A subchannel of a virtual client: where to, and in which state."""

    address: str
    state: str


class SimChannel(Client):
    """A client of a virtual cluster.

    Its calls take virtual time: `greet` and `load` let it pass until the last call has ended.
    """

    engine = "lab"

    def __init__(self, cluster: SimCluster, number: int, channel: _core.SimChannel, title: str):
        self._cluster = cluster
        self._number = number
        self._channel = channel
        self.title = title
        self.world = cluster.world
        self.name = channel.name
        """Its name in the trace: "client-1"."""

    def greet(
        self,
        first_name: str = "Ada",
        last_name: str = "",
        *,
        times: int = 1,
        timeout: float = 5.0,
        wait_for_ready: bool = False,
    ) -> Calls:
        """Says hello `times` times, one after the other. Nobody hears the names in this world.

        timeout: virtual seconds that each call may take.
        wait_for_ready: wait for a connection where others fail.
        """
        return self.load(times, 1, timeout=timeout, wait_for_ready=wait_for_ready)

    def load(
        self,
        n: int,
        concurrency: int = 64,
        *,
        first_name: str = "Ada",
        last_name: str = "Lovelace",
        every: float = 0.0,
        timeout: float = 5.0,
        wait_for_ready: bool = False,
    ) -> Calls:
        """Makes `n` calls with `concurrency` of them in flight at any time.

        The names are for nobody here, as in `greet`.

        every: seconds from one call's start to the next one's, however many are in flight; 0: the
            next begins when one ends.
        """
        load = self.start(
            n, concurrency, every=every, timeout=timeout, wait_for_ready=wait_for_ready
        )
        self._cluster._core.run_load(load)
        return self.calls(load)

    def start(
        self,
        n: int,
        concurrency: int = 1,
        *,
        every: float = 0.0,
        timeout: float = 5.0,
        wait_for_ready: bool = False,
    ) -> _core.SimLoad:
        """Starts calls that go on while the cluster runs (`cluster.run`); `calls` tells how.

        every: seconds from one call's start to the next one's, however many are in flight; 0: the
            next begins when one ends.
        """
        arguments.whole("the number of calls", n, 0)
        arguments.whole("concurrency", concurrency, 1)
        arguments.number("every", every, 0, 9e9)
        arguments.timeout(timeout)

        def begin(world: SimCluster) -> _core.SimLoad:
            channel = world.channels[self._number]._channel
            return channel.start_load(n, concurrency, every, timeout, wait_for_ready)

        load: _core.SimLoad = self._cluster._do(begin)
        return load

    def wait_ready(
        self, *, all: bool = False, pods: int | None = None, timeout: float = 10.0
    ) -> Self:
        """Connects, and lets time pass until the channel is READY (all: every subchannel is).

        pods: until that many subchannels are, and looks the name up again until then, each second
            or as often as the cooldown lets it. Stock gRPC has no such call.

        Raises TimeoutError, with the state of each subchannel, after `timeout` virtual seconds.
        """
        self._cluster._do(lambda world: world.channels[self._number]._channel.connect())
        end = self._cluster.seconds + timeout
        if pods is not None:
            arguments.whole("pods", pods, 1)

        def ready() -> bool:
            states = [s.state for s in self.subchannels]
            if pods is not None:
                return states.count("READY") >= pods
            return self.state == "READY" and (not all or set(states) == {"READY"})

        again = self._cluster.seconds + 1
        while not ready():
            if self._cluster.seconds >= end:
                raise self.not_ready(timeout)
            if self._cluster.step(before=None if pods is None else min(again, end)):
                continue
            if pods is None or end <= again:
                raise self.not_ready(timeout)
            self._cluster._do(lambda world: world.channels[self._number]._channel.look_again())
            again += 1
        return self

    @property
    def state(self) -> str:
        """Connectivity state: IDLE, CONNECTING, READY, TRANSIENT_FAILURE or SHUTDOWN."""
        return self._channel.state

    @property
    def subchannels(self) -> list[SimSubchannel]:
        """The subchannels that there are now."""
        return [SimSubchannel(*shown) for shown in self._channel.subchannels]

    @property
    def trace(self) -> Trace:
        """What has happened in the cluster so far, without the other clients."""
        trace = self._cluster.trace
        others = {channel.name for channel in self._cluster.channels} - {self.name}
        return trace.without(others)

    def close(self) -> None:
        """Cancels what is in flight and closes the connections. Closing twice is fine."""
        self._cluster._do(lambda world: world.channels[self._number]._channel.close())

    def calls(self, load: _core.SimLoad) -> Calls:
        """What became of the calls that `start` began.

        Raises ValueError while some of them have not ended.
        """
        if not load.done:
            raise ValueError(
                f"{self.title}: {load.ended} of {len(load.log)} calls have ended by "
                f"{self._cluster.seconds:.3f} s; let the cluster run on until all have"
            )
        known = [pod.name for pod in self._cluster.pods]
        return Calls(load.log, title=self.title, world=self.world, known=known)

    def _engine_in_words(self) -> str:
        return f"{self.name} in the sim"


class SimCluster(Cluster):
    """Pods, services and clients of a virtual world.

    pods, seed: the same two, and the same commands, give the same events, byte for byte.
    port: the pods' and the services' port.
    start_interval: seconds from one pod's being ready to the next one's, of those that are made at
        once: the first ones, and those that `scale` adds.
    readiness_delay: seconds from a pod's start, or a change of its health, until the readiness
        probe has found out.
    endpoint_lag: seconds for which a pod that died, is drained or is found unready stays listed.
    pre_stop: seconds from a pod's deletion to its SIGTERM (`lifecycle.preStop`).
    grace: seconds that its calls may go on after that.
    max_connection_age, max_connection_age_grace: seconds after which the pods send GOAWAY on a
        connection, and for which its calls may go on (gRFC A9); None = never, for ever.
    latency: seconds, one way, of every message; each is drawn from +-20 %.
    dns_round_trip: seconds from a question to its answer; drawn from +-20 %, too.
    dns_ttl, dns_cache: seconds for which an answer is good, and whether something between the
        clients and the DNS gives it out again for as long, however old it is by then.
    trace_capacity: how many events are kept (56 bytes each, and the words once); 0 = none. What
        comes after that is counted, not kept.
    """

    world = "SIM"

    def __init__(
        self,
        pods: int = 3,
        seed: int | None = None,
        *,
        port: int = 50051,
        start_interval: float = 0.0,
        readiness_delay: float = 0.0,
        endpoint_lag: float = 0.0,
        pre_stop: float = 0.0,
        grace: float = 30.0,
        max_connection_age: float | None = None,
        max_connection_age_grace: float | None = None,
        latency: float = 0.00025,
        dns_round_trip: float = 0.0005,
        dns_ttl: int = 5,
        dns_cache: bool = False,
        trace_capacity: int = 1_000_000,
    ) -> None:
        self.seed = secrets.randbits(63) if seed is None else seed
        self._options: dict[str, Any] = {
            "pods": pods,
            "seed": self.seed,
            "port": port,
            "start_interval": start_interval,
            "readiness_delay": readiness_delay,
            "endpoint_lag": endpoint_lag,
            "pre_stop": pre_stop,
            "grace": grace,
            "max_connection_age": max_connection_age,
            "max_connection_age_grace": max_connection_age_grace,
            "latency": latency,
            "dns_round_trip": dns_round_trip,
            "dns_ttl": dns_ttl,
            "dns_cache": dns_cache,
            "trace_capacity": trace_capacity,
        }
        arguments.whole("pods", pods, 0, 10_000)
        for name in ("start_interval", "readiness_delay", "endpoint_lag", "pre_stop", "grace"):
            arguments.number(name, self._options[name], 0, 1e6)
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"seed {seed!r}: it is 0 at least and less than 2**64")
        self._core = _core.SimCluster(**self._options)
        self.port = port
        self.channels: list[SimChannel] = []
        """Every client that was ever made, in order."""
        # What was done, and when: to do it again is to be in the same state (`fork`).
        self._script: list[tuple[int, Callable[[SimCluster], Any]]] = []

    # Time.

    @property
    def seconds(self) -> float:
        """Virtual seconds since the world began."""
        return self._core.now_ns / 1e9

    def run(self, seconds: float) -> None:
        """Lets this much time pass, with all that happens in it."""
        if not seconds >= 0:
            raise ValueError(f"seconds {seconds!r}: time does not run backwards; `fork` does")
        self._core.run_until(self._core.now_ns + round(seconds * 1e9))

    def step(self, before: float | None = None) -> bool:
        """Lets the next thing happen, whenever that is. False if nothing ever will.

        before: False, too, if nothing happens before this time, in virtual seconds; it is that time
            then.
        """
        if before is None:
            return self._core.step()
        until = round(before * 1e9)
        if (following := self._core.next_ns) is None or following >= until:
            self._core.run_until(max(until, self._core.now_ns))
            return False
        return self._core.step()

    def fork(self, at: float | None = None) -> SimCluster:
        """Another cluster, in the state that this one was in at that time; from there it goes on
        by itself. Its clients are in `channels`, in the same order.

        at: virtual seconds; None = now.
        """
        moment = self._core.now_ns if at is None else round(at * 1e9)
        if not 0 <= moment <= self._core.now_ns:
            raise ValueError(f"at {at!r}: between 0 and now, which is {self.seconds}")
        other = SimCluster(**self._options)
        for when, action in self._script:
            if when > moment:
                break
            other._core.run_until(when)
            other._do(action)
        other._core.run_until(moment)
        return other

    def _do(self, action: Callable[[SimCluster], Any]) -> Any:
        """Does something to the world, and remembers it."""
        moment = self._core.now_ns
        result = action(self)
        self._script.append((moment, action))
        return result

    # What it shows.

    @property
    def trace(self) -> Trace:
        """What has happened so far."""
        return Trace(self._core.trace)

    @property
    def pods(self) -> list[Pod]:
        """The pods, dead and draining ones included, in the order in which they were made."""
        return [Pod(*shown) for shown in self._core.pods]

    @property
    def cluster_ip(self) -> str:
        """The virtual address of `greetserver`."""
        return self._core.cluster_ip

    def lookup(self, name: str, types: Sequence[str] = ("A", "AAAA")) -> Lookup:
        """Looks a name up as a pod would: search list, ndots:5 and all. Takes its virtual time."""
        if set(types) != {"A", "AAAA"}:
            raise ValueError(f"types {types!r}: the virtual DNS is asked for A and AAAA together")
        found: Lookup = self._do(lambda world: world._core.lookup(name))
        return found

    def channel(
        self,
        service: str,
        *,
        policy: AnyPolicy = "pick_first",
        engine: str = "lab",
        shuffle_address_list: bool = False,
        cooldown: float = 30.0,
        connection_per_call: bool = False,
    ) -> SimChannel:
        """A new client of a service.

        policy: one of `greetlab.POLICIES` by its name, an entry of a service config's
            loadBalancingConfig, such as {"least_request": {"choiceCount": 3}}, or a class of your
            own: see `greetlab.Policy`.
        engine: "lab": in this world there is no other.
        shuffle_address_list: pick_first tries the addresses in random order (gRFC A62).
        cooldown: least seconds from one lookup's start to the next one's.
        connection_per_call: look up and dial anew for every call, and hang up after it; each is
            another client in the trace.
        """
        if engine != "lab":
            raise ValueError(f"engine {engine!r}: the sim has 'lab' only")

        config = policy_config(policy, shuffle_address_list=shuffle_address_list)

        def make(world: SimCluster) -> SimChannel:
            core = world._core.open_channel(service, config, cooldown, connection_per_call)
            title = f"{service}, {channel_title(policy, connection_per_call)}"
            world.channels.append(SimChannel(world, len(world.channels), core, title))
            return world.channels[-1]

        made: SimChannel = self._do(make)
        return made

    # What can be done to it.

    def scale(self, pods: int) -> None:
        """Adds pods, or drains the newest ones, until this many serve."""
        arguments.whole("pods", pods, 0, 10_000)
        self._do(lambda world: world._core.scale(pods))

    def kill(self, pod: str) -> None:
        """Ends a pod at once: its connections are reset, and its address refuses."""
        self._do(lambda world: world._core.kill(pod))

    def lose(self, pod: str) -> None:
        """Takes a pod's machine away: its connections fall silent, its address swallows packets."""
        self._do(lambda world: world._core.lose(pod))

    def restart(self, pod: str) -> None:
        """Makes a pod serve again at the same address, killing it first if it still runs."""
        self._do(lambda world: world._core.restart(pod))

    def drain(self, pod: str) -> None:
        """Deletes a pod: off the endpoints after `endpoint_lag`, GOAWAY after `pre_stop`, both
        counted from now; its calls may go on for `grace` after that.
        """
        self._do(lambda world: world._core.drain(pod))

    def rollout(self, *, max_surge: int = 1, max_unavailable: int = 0) -> None:
        """Replaces the pods by new ones, as time passes; see `Cluster.rollout`."""
        arguments.whole("max_surge", max_surge, 0)
        arguments.whole("max_unavailable", max_unavailable, 0)
        self._do(lambda world: world._core.rollout(max_surge, max_unavailable))

    def wait_rollout(self, timeout: float = 60.0) -> Self:
        """Lets time pass until all pods are new and ready.

        Raises TimeoutError, with the state of each pod, after `timeout` virtual seconds.
        """
        return self._wait("the rollout is not over", lambda: not self._core.rolling, timeout)

    def wait_ready(self, pods: int | None = None, timeout: float = 60.0) -> Self:
        """Lets time pass until so many pods are ready, and listed; None: all that shall serve.

        Raises TimeoutError, with the state of each pod, after `timeout` virtual seconds.
        """
        many = "all pods" if pods is None else f"{pods} pods"
        return self._wait(f"{many} are not ready", lambda: self._ready_enough(pods), timeout)

    def _wait(self, what: str, enough: Callable[[], bool], timeout: float) -> Self:
        end = self.seconds + timeout
        while not enough():
            if not self.step(before=end) and not enough():
                raise self._too_slow(what, timeout)
        return self

    def slow(self, pod: str, latency: float | tuple[float, float]) -> None:
        """Makes a pod take this many seconds longer; two numbers: a uniform draw; 0: no more."""
        least, most = latency if isinstance(latency, tuple) else (latency, latency)
        arguments.number("latency", least, 0, 1e6)
        arguments.number("latency", most, 0, 1e6)
        if not least <= most:
            raise ValueError(f"latency {latency!r}: seconds, 0 or more, the smaller one first")
        self._do(lambda world: world._core.slow(pod, least, most))

    def fail(self, pod: str, rate: float) -> None:
        """Makes a pod fail this share of its calls (0 to 1) with UNAVAILABLE."""
        arguments.number("rate", rate, 0, 1)
        self._do(lambda world: world._core.fail(pod, rate))

    def set_serving(self, pod: str, serving: bool) -> None:
        """Sets what a pod's health says: the readiness probe has it off the endpoints, or back on
        them. Connections to it stay, and so do their calls.
        """
        self._do(lambda world: world._core.set_serving(pod, serving))

    def close(self) -> None:
        """There is nothing to close: it is only memory."""
