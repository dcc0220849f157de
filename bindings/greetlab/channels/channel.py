"""A client's channel to a service, on real connections."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Self

from greetlab import _core, arguments
from greetlab.channels.calls import Calls
from greetlab.channels.greet_channel import Client
from greetlab.channels.policies import AnyPolicy, policy_config, policy_name
from greetlab.trace.trace import Trace

ENGINES = ("lab", "grpc")


class Channel(Client):
    """A channel on real connections, with the lab's own engine or with gRPC's.

    target: what to connect to: "dns:///name:port", "dns://server:port/name:port",
        "srv:///name" (the port comes from DNS; "lab" only), "static:ip:port,ip:port".
    policy: its name, "pick_first" (gRPC's default) or "round_robin"; with "lab" also any other of
        `POLICIES`, an entry of a service config's loadBalancingConfig, such as
        {"least_request": {"choiceCount": 3}}, or a class of your own: see `Policy`.
    engine: "lab": our own core, every step of which is in the trace. "grpc": gRPC's own resolver,
        policies and connections; its trace has the outcomes only, for it shows no more.
    shuffle_address_list: pick_first tries the addresses in random order (gRFC A62; "grpc" needs
        gRPC 1.56 or newer).
    cooldown: least seconds from one lookup's start to the next one's.
    connection_per_call: look up and dial anew for every call, and hang up after it, as the worst
        clients do.
    source_ip: the address that it connects from ("lab" only), such as "127.9.9.1"; "" = the
        kernel chooses, and on loopback all clients look alike. Who they are matters to a ClusterIP
        with session affinity.
    seed: of the engine's random choices ("lab" only); None = another one each time.
    trace_capacity: how many events are kept (56 bytes each, and the words once); 0 = none. What
        comes after that is counted, not kept.
    title, world: what results and figures say about where they come from.
    name: its name in the trace.
    pods: the names of the pods that could answer now; results show those that did not, too.

    May be used by several threads. It does not survive os.fork: in the child every use of it raises
    RuntimeError.

    Raises ValueError for a target, a policy or an engine that there is not.
    """

    def __init__(
        self,
        target: str,
        *,
        policy: AnyPolicy = "pick_first",
        engine: str = "lab",
        shuffle_address_list: bool = False,
        cooldown: float = 30.0,
        connection_per_call: bool = False,
        source_ip: str = "",
        seed: int | None = None,
        trace_capacity: int = 1_000_000,
        title: str = "",
        world: str = "",
        name: str = "client-1",
        pods: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(f"engine {engine!r}: there is {', '.join(map(repr, ENGINES))}")
        if engine == "grpc" and not isinstance(policy, str):
            raise ValueError(
                f"policy {policy_name(policy)}: gRPC's own channel has pick_first and "
                "round_robin, by their names; engine='lab' has the others"
            )
        if source_ip and engine != "lab":
            raise ValueError("source_ip: gRPC's own channel lets nobody choose; engine='lab' does")
        self.target = target
        self.policy = policy
        self.engine = engine
        self.title = title or target
        self.world = world
        self.name = name
        self._pods = pods
        self._channel: _core.LabChannel | _core.NativeChannel
        if engine == "lab":
            self._channel = _core.LabChannel(
                target=target,
                policy=policy_config(policy, shuffle_address_list=shuffle_address_list),
                cooldown=cooldown,
                connection_per_call=connection_per_call,
                source_ip=source_ip,
                name=name,
                seed=secrets.randbits(64) if seed is None else seed,
                trace_capacity=trace_capacity,
            )
        else:
            assert isinstance(policy, str)
            self._channel = _core.NativeChannel(
                target=target,
                policy=policy,
                shuffle_address_list=shuffle_address_list,
                cooldown=cooldown,
                connection_per_call=connection_per_call,
                name=name,
                trace_capacity=trace_capacity,
            )
        # Also when the interpreter ends while another thread is in a call.
        self._closing = weakref.finalize(self, self._channel.close)

    def greet(
        self,
        first_name: str = "Ada",
        last_name: str = "",
        *,
        times: int = 1,
        timeout: float = 5.0,
        wait_for_ready: bool = False,
    ) -> Calls:
        """Says hello `times` times, one after the other, and keeps the words of each answer.

        timeout: seconds that each call may take.
        wait_for_ready: wait for a connection where others fail.
        """
        names = (first_name, last_name)
        return self._run(names, times, 1, 0.0, timeout, wait_for_ready, keep_results=True)

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

        A closed loop: when one ends the next begins. It runs in C++, without Python's lock.

        every: seconds from one call's start to the next one's, however many are in flight; 0: the
            closed loop.
        timeout: seconds that each call may take.
        wait_for_ready: wait for a connection where others fail.
        """
        names = (first_name, last_name)
        return self._run(names, n, concurrency, every, timeout, wait_for_ready, keep_results=False)

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
        self._check_open()
        if pods is None:
            result = self._channel.wait_ready(all, timeout)
        else:
            arguments.whole("pods", pods, 1)
            if not isinstance(self._channel, _core.LabChannel):
                raise ValueError("pods: gRPC's own channel cannot be told to look again")
            result = self._channel.wait_for_pods(pods, timeout)
        if result == "closed":
            raise ValueError(f"{self.title}: this channel was closed while it was waited for")
        if result == "timeout":
            raise self.not_ready(timeout)
        return self

    @property
    def state(self) -> str:
        """Connectivity state: IDLE, CONNECTING, READY, TRANSIENT_FAILURE or SHUTDOWN."""
        return self._channel.state

    @property
    def subchannels(self) -> list[_core.SubchannelView]:
        """The subchannels now: address, state, connections; gRPC's as its channelz shows them."""
        return self._channel.subchannels()

    @property
    def trace(self) -> Trace:
        """What has happened so far; with engine "grpc": that calls began and how they ended."""
        if isinstance(self._channel, _core.LabChannel) and self._closing.alive:
            self._channel.flush()
        return Trace(self._channel.trace(self.world))

    def close(self) -> None:
        """Cancels what is in flight and closes the connections. Closing twice is fine."""
        self._closing()

    def tell_pod_changed(self, pod: str, address: str, change: str, *, ends: bool = False) -> None:
        """Puts into the trace what the cluster does to a pod: "killed", "started", ...

        A trace tells so what the channel only feels. gRPC's engine has no such trace.

        ends: its connections end because of it. To be told before it is done.
        """
        if isinstance(self._channel, _core.LabChannel):
            self._channel.tell_pod_changed(pod, address, change, ends)

    def tell_endpoints_changed(self, service: str, addresses: Sequence[str]) -> None:
        """The same for what the cluster lists as a service's endpoints: "10.244.0.3:50051", ..."""
        if isinstance(self._channel, _core.LabChannel):
            self._channel.tell_endpoints_changed(service, addresses)

    def _run(
        self,
        names: tuple[str, str],
        n: int,
        concurrency: int,
        every: float,
        timeout: float,
        wait_for_ready: bool,
        *,
        keep_results: bool,
    ) -> Calls:
        self._check_open()
        arguments.whole("the number of calls", n, 0)
        arguments.whole("concurrency", concurrency, 1)
        arguments.timeout(timeout)
        for name in names:
            arguments.word("a name", name)
        log = self._channel.run(
            *names, n, concurrency, every, timeout, wait_for_ready, keep_results
        )
        return Calls(log, title=self.title, world=self.world, known=self._pods())

    def _check_open(self) -> None:
        if not self._closing.alive:
            raise ValueError(f"{self.title}: this channel is closed; open another one")
