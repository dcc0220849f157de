"""The virtual cluster: the same lab in a world where time is a number.

The load-balancing code is the very one that drives real connections (cpp/lb); the network, the DNS
and the pods are pretended. An hour of traffic costs milliseconds, and the same seed and the same
commands give the same events, byte for byte.
"""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self, TypedDict, Unpack

from greetlab import _core, arguments
from greetlab.channels.calls import Calls
from greetlab.channels.greet_channel import AnyMetadata, GreetChannel, Load, one_key, pairs
from greetlab.channels.options import (
    DEFAULTS,
    ENGINES,
    ChannelOptions,
    channel_title,
    takes,
    told,
)
from greetlab.channels.service_config import AnyServiceConfig, txt_record
from greetlab.clusters import links
from greetlab.clusters.cluster import Cluster, Pod
from greetlab.clusters.faults import Faults
from greetlab.dns.lookup import Lookup
from greetlab.trace.trace import Trace


class SimOptions(TypedDict, total=False):
    """Of a virtual cluster; those that are not given have their defaults."""

    port: int
    ip: str
    start_interval: float
    readiness_delay: float
    endpoint_lag: float
    watch_lag: float
    pre_stop: float
    grace: float
    max_connection_age: float | None
    max_connection_age_grace: float | None
    max_concurrent_streams: int | None
    capacity: int | None
    queue: int | None
    service_time: arguments.Time
    load_reports: bool
    latency: float
    dns_round_trip: float
    dns_ttl: int
    dns_cache: bool
    trace_capacity: int


SIM_DEFAULTS = {name: default for name, default, _ in _core.sim_options()}
_NOT_HERE = [name for name, _, _ in _core.channel_options() if not _core.is_virtual(name)]
_HERE = [name for name, _, _ in DEFAULTS if name not in _NOT_HERE]
"""What a channel can be told in this world, and what it cannot."""


@dataclass(frozen=True)
class _Done:
    """... when, at which steps of the world's clock, and how to do it again."""

    at_ns: int
    before: int
    after: int
    action: Callable[[SimCluster], Any]
    words: links.Command | str


@dataclass(frozen=True)
class SimSubchannel:
    """A subchannel of a virtual client: where to, and in which state."""

    address: str
    state: str


class SimChannel(GreetChannel):
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

    def _run(self, load: Load, *, keep_results: bool) -> Calls:
        begun = self._start(load)
        self._cluster._core.run_load(begun)
        return self.calls(begun)

    def start(
        self,
        n: int,
        concurrency: int = 1,
        *,
        every: arguments.Time = 0.0,
        timeout: float = 5.0,
        wait_for_ready: bool = False,
        metadata: AnyMetadata = (),
        keys: Mapping[str, int] = MappingProxyType({}),
    ) -> _core.SimLoad:
        """Starts calls that go on while the cluster runs (`cluster.run`); `calls` tells how.

        every: from one call's start to the next one's; see `load`.
        metadata, keys: see `load`.
        """
        load = Load(
            "",
            "",
            n,
            concurrency,
            every,
            timeout,
            wait_for_ready,
            pairs(metadata),
            one_key(keys),
        )
        return self._start(load.checked())

    def _start(self, load: Load) -> _core.SimLoad:
        def begin(cluster: SimCluster) -> _core.SimLoad:
            channel = cluster.channels[self._number]._channel
            begun = channel.start_load(
                load.n,
                load.concurrency,
                load.every,
                load.timeout,
                load.wait_for_ready,
                load.metadata,
                *load.keys,
            )
            cluster._note_cancel(begun)
            return begun

        started: _core.SimLoad = self._cluster._do(begin, links.load(self.name, load))
        return started

    def _await_ready(self, all: bool, pods: int | None, timeout: float) -> bool:
        self._connect()
        end = self._cluster.seconds + timeout

        def ready() -> bool:
            states = [s.state for s in self.subchannels]
            if pods is not None:
                return states.count("READY") >= pods
            return self.state == "READY" and (not all or set(states) == {"READY"})

        again = self._cluster.seconds + 1
        while not ready():
            if self._cluster.seconds >= end:
                return False
            if self._cluster.step(before=None if pods is None else min(again, end)):
                continue
            if pods is None or end <= again:
                return False
            self._look_again()
            again += 1
        return True

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
        if self.state != "SHUTDOWN":
            self._do(lambda channel: channel.close(), "close")

    def _connect(self) -> None:
        self._do(lambda channel: channel.connect(), "connect")

    def _look_again(self) -> None:
        self._do(lambda channel: channel.look_again(), "look_again")

    def _do(self, action: Callable[[_core.SimChannel], None], verb: str) -> None:
        self._cluster._do(
            lambda cluster: action(cluster.channels[self._number]._channel),
            links.Command(verb, [self.name]),
        )

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


_TIMES = ("start_interval", "readiness_delay", "endpoint_lag", "watch_lag", "pre_stop", "grace")


def _check(options: Mapping[str, Any]) -> None:
    for name in _TIMES:
        arguments.number(name, options.get(name, 0), 0, 1e6)
    arguments.time("service_time", options.get("service_time", 0))


class SimCluster(Cluster, Faults):
    """Pods, services and clients of a virtual world.

    pods, seed: the same two, and the same commands, give the same events, byte for byte.
    options: see `SimOptions`; times are in seconds.
    """

    world = "SIM"

    @takes([(name, default, text) for name, default, text in _core.sim_options()][2:])
    def __init__(
        self,
        pods: int = 3,
        seed: int | None = None,
        **options: Unpack[SimOptions],
    ) -> None:
        self.seed = secrets.randbits(63) if seed is None else seed
        self._options: dict[str, Any] = {"pods": pods, "seed": self.seed, **options}
        arguments.whole("pods", pods, 0, 10_000)
        _check(self._options)
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"seed {seed!r}: it is 0 at least and less than 2**64")
        self._core = _core.SimCluster(**self._options)
        self._recorded = self._core.trace
        self.port: int = options.get("port", SIM_DEFAULTS["port"])
        self.channels: list[SimChannel] = []
        """Every client that was ever made, in order."""
        # What was done, and when: to do it again is to be in the same state (`fork`, `link`).
        self._script: list[_Done] = []
        self._loads: list[_core.SimLoad] = []

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
        for done in self._script:
            if done.at_ns > moment:
                break
            other._core.run_until(done.at_ns)
            if isinstance(done.words, links.Command) and done.words.verb == "cancel":
                done.action(other)  # it takes its own note
            else:
                other._do(done.action, done.words)
        other._core.run_until(moment)
        return other

    def _do(self, action: Callable[[SimCluster], Any], words: links.Command | str) -> Any:
        """Does something to the world, and remembers it.

        words: how a link says it; or why it cannot.
        """
        moment, before = self._core.now_ns, self._core.steps
        result = action(self)
        self._script.append(_Done(moment, before, self._core.steps, action, words))
        return result

    def _note_cancel(self, load: _core.SimLoad) -> None:
        """A load is given up by itself; that is something done to the world, too."""
        number = len(self._loads)
        self._loads.append(load)
        world = weakref.ref(self)  # the load is the world's

        def cancel(cluster: SimCluster) -> None:
            cluster._loads[number].cancel()

        def note() -> None:
            if (cluster := world()) is not None:
                core = cluster._core
                words = links.Command("cancel", [f"load-{number + 1}"])
                cluster._script.append(_Done(core.now_ns, core.steps, core.steps, cancel, words))

        load.on_cancel = note

    # As a link.

    def link(self, page: str = "") -> str:
        """This world as a link: what it was made of, and what was done to it and when. Whoever
        opens it, in the page (`greetlab play`) or with `Cluster.from_link`, sees the same events,
        byte for byte.

        page: the page's address, to stand before the "#".

        Raises ValueError for what a link cannot say: a policy of your own, bytes in metadata, what
        of a service config has no words (methods that differ, its policy, what DNS has of it), or
        something done in the middle of a moment (after `step`).
        """
        told = []
        last = (0, 0)
        for done in self._script:
            if isinstance(done.words, str):
                raise ValueError(f"a link of this world: {done.words}")
            words = done.words
            at_once = last == (done.at_ns, done.before)
            told.append((done.at_ns, at_once, words.verb, words.given, words.named))
            last = (done.at_ns, done.after)
        world = _core.option_words("world", self._options)
        link = f"{page}#{_core.write_script(world, told, self._core.now_ns)}"
        again = SimCluster.from_link(link)
        if again._recorded.digest(len(self._recorded)) != self._recorded.digest():
            raise ValueError(
                "a link of this world: something was done to it in the middle of a moment, after "
                "`step`; a link can only say it after all else of that moment"
            )
        return link

    @staticmethod
    def from_link(link: str) -> SimCluster:
        """The world of a link, as far as its time had come: see `link`.

        link: all of it, or what stands after its "#".

        Raises ValueError, with what is wrong, for what is no such link; one of two worlds, as a
        fork in the page makes it, is for the page.
        """
        if "!" in link:
            raise ValueError(
                "a link of two worlds side by side, with '!' between them: a cluster is one world; "
                "link.split('!')[0] is A, link.split('!')[1] is B"
            )
        try:
            world, commands, end_ns = _core.read_script(link)
        except UnicodeDecodeError as error:
            bytes_ = error.object[error.start : error.end].hex(" ")
            raise ValueError(f"this link has bytes that are no UTF-8: {bytes_}") from None
        cluster = SimCluster(**{"seed": 0, **_core.options_from_words("world", world)})
        for at_ns, at_once, verb, given, named in commands:
            if not at_once:
                cluster._core.run_until(at_ns)
            links.follow(cluster, verb, given, named)
        cluster._core.run_until(max(end_ns, cluster._core.now_ns))
        return cluster

    # What it shows.

    @property
    def trace(self) -> Trace:
        """What has happened so far."""
        return Trace(self._recorded.now())

    @property
    def pods(self) -> list[Pod]:
        """The pods, dead and draining ones included, in the order in which they were made."""
        return [Pod(*shown) for shown in self._core.pods]

    @property
    def cluster_ip(self) -> str:
        """The virtual address of `greetserver`."""
        return self._core.cluster_ips[0]

    @property
    def cluster_ips(self) -> list[str]:
        """Of each family of the cluster one, as `spec.clusterIPs` has them."""
        return self._core.cluster_ips

    def lookup(self, name: str, types: Sequence[str] = ("A", "AAAA")) -> Lookup:
        """Looks a name up as a pod would: search list, ndots:5 and all. Takes its virtual time."""
        if set(types) != {"A", "AAAA"}:
            raise ValueError(f"types {types!r}: the virtual DNS is asked for A and AAAA together")
        found: Lookup = self._do(
            lambda cluster: cluster._core.lookup(name), links.Command("lookup", [name])
        )
        return found

    @takes([one for one in DEFAULTS if one[0] not in _NOT_HERE])
    def channel(self, service: str, **options: Unpack[ChannelOptions]) -> SimChannel:
        """A new client of a service; see `Cluster.channel`.

        With `connection_per_call` each call is another client in the trace.

        Raises ValueError for what there is not in this world: another engine, a source_ip, frames
        (nothing is put on a wire), TLS, a seed or a trace_capacity of a channel's own.
        """
        if options.get("frames"):
            raise ValueError(
                "frames: nothing is put on a wire in the sim, so there are none to see; a channel "
                "of Cluster.local() has them"
            )
        for own in _NOT_HERE:
            if own in options:
                raise ValueError(f"{own}: of a channel on real connections; not in the sim")
        what = told(options, _HERE)
        if what.engine != ENGINES[0]:
            raise ValueError(f"engine {what.engine!r}: the sim has {ENGINES[0]!r} only")
        return self._open(
            service, what.config, what.service_config, what.core, channel_title(options)
        )

    def _open(
        self,
        service: str,
        policy: _core.PolicyConfig,
        service_config: _core.ServiceConfig | None,
        options: dict[str, Any],
        how: str,
    ) -> SimChannel:
        title = f"{service}, {how}"

        def make(cluster: SimCluster) -> SimChannel:
            core = cluster._core.open_channel(service, policy, service_config, **options)
            cluster.channels.append(SimChannel(cluster, len(cluster.channels), core, title))
            return cluster.channels[-1]

        words: links.Command | str
        try:
            named = [*_core.policy_words(policy), *_core.option_words("channel", options)]
            if service_config is not None:
                named += links.config(service_config)
            words = links.Command("open", [service], named)
            if options.get("dns_service_config"):
                words = links.NO_DNS_CONFIG
        except (TypeError, ValueError) as error:
            words = str(error)
        made: SimChannel = self._do(make, words)
        return made

    # What can be done to it.

    def scale(self, pods: int) -> None:
        """Adds pods, or drains the newest ones, until this many serve."""
        arguments.whole("pods", pods, 0, 10_000)
        self._do(lambda cluster: cluster._core.scale(pods), links.Command("scale", [str(pods)]))

    def kill(self, pod: str) -> None:
        """Ends a pod at once: its connections are reset, and its address refuses."""
        self._do(lambda cluster: cluster._core.kill(pod), links.Command("kill", [pod]))

    def lose(self, pod: str) -> None:
        """Takes a pod's machine away: its connections fall silent, its address swallows packets."""
        self._do(lambda cluster: cluster._core.lose(pod), links.Command("lose", [pod]))

    def restart(self, pod: str) -> None:
        """Makes a pod serve again at the same address, killing it first if it still runs."""
        self._do(lambda cluster: cluster._core.restart(pod), links.Command("restart", [pod]))

    def drain(self, pod: str) -> None:
        """Deletes a pod: off the endpoints after `endpoint_lag`, GOAWAY after `pre_stop`, both
        counted from now; its calls may go on for `grace` after that.
        """
        self._do(lambda cluster: cluster._core.drain(pod), links.Command("drain", [pod]))

    def rollout(self, *, max_surge: int = 1, max_unavailable: int = 0) -> None:
        """Replaces the pods by new ones, as time passes; see `Cluster.rollout`."""
        arguments.whole("max_surge", max_surge, 0)
        arguments.whole("max_unavailable", max_unavailable, 0)
        self._do(
            lambda cluster: cluster._core.rollout(max_surge, max_unavailable),
            links.Command(
                "rollout",
                [],
                [("max_surge", str(max_surge)), ("max_unavailable", str(max_unavailable))],
            ),
        )

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

    def change(self, **options: Unpack[SimOptions]) -> None:
        """Makes the running world another one, from now on: `cluster.change(endpoint_lag=2)`.

        options: of those that it was made with, what can change while it runs: how pods come and
            go, how long they serve a call, how old connections become, DNS. What has begun (a call
            that is being served, a connection, a drain) ends as it began.

        Raises ValueError for one that is of the world's making, such as its seed.
        """
        _check(options)
        for name in options:
            if name in SIM_DEFAULTS and not _core.SimCluster.can_change(name):
                can = [one for one in SIM_DEFAULTS if _core.SimCluster.can_change(one)]
                raise ValueError(
                    f"{name}: a running world keeps it; make another cluster, or change "
                    f"{', '.join(can)}"
                )
        self._do(
            lambda cluster: cluster._core.change(**options),
            links.Command("change", [], _core.option_words("world", dict(options))),
        )

    def slow(self, pod: str, latency: arguments.Time) -> None:
        """Makes a pod serve each call this much longer; see `Faults.slow`."""
        arguments.time("latency", latency)
        self._do(
            lambda cluster: cluster._core.slow(pod, latency),
            links.Command("slow", [pod, _core.time_word(latency)]),
        )

    def fail(
        self,
        pod: str,
        rate: float,
        code: str = "UNAVAILABLE",
        *,
        pushback: float | None = None,
    ) -> None:
        """Makes a pod fail this share of its calls; see `Faults.fail`."""
        arguments.number("rate", rate, 0, 1)
        self._do(
            lambda cluster: cluster._core.fail(pod, rate, code, pushback),
            links.Command("fail", [pod, repr(float(rate))], links.failing(code, pushback)),
        )

    def publish_config(self, config: AnyServiceConfig | Sequence[Mapping[str, Any]] | None) -> None:
        """Has the DNS tell clients with `dns_service_config` what to do; see `LocalCluster`."""
        record = txt_record(config)
        self._do(lambda cluster: cluster._core.publish_config(record), links.NO_DNS_CONFIG)

    def set_serving(self, pod: str, serving: bool) -> None:
        """Sets what a pod's health says: the readiness probe has it off the endpoints, or back on
        them. Connections to it stay, and so do their calls.
        """
        self._do(
            lambda cluster: cluster._core.set_serving(pod, serving),
            links.Command("set_serving", [pod, "true" if serving else "false"]),
        )

    def close(self) -> None:
        """There is nothing to close: it is only memory."""
