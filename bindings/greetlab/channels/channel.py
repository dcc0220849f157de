"""A client's channel to a service, on real connections."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Unpack

from greetlab import _core, arguments
from greetlab.channels.calls import Calls
from greetlab.channels.greet_channel import AnyMetadata, GreetChannel, Load, pairs
from greetlab.channels.grpcio.channel import GrpcioChannel
from greetlab.channels.options import DEFAULTS, ENGINES, ChannelOptions, takes, told
from greetlab.real import need
from greetlab.trace.trace import Trace


class Channel(GreetChannel):
    """A channel on real connections, with the lab's own engine or with one of gRPC's.

    target: what to connect to: "dns:///name:port", "dns://server:port/name:port",
        "srv:///name" (the port comes from DNS; "lab" only), "static:ip:port,ip:port",
        "k8s:///service.namespace:port" (told by a Kubernetes API; "lab" only),
        "watch:///service" (a cluster's own channels only: it tells them; "lab" only).
    title, world: what results and figures say about where they come from.
    name: its name in the trace.
    pods: the names of the pods that could answer now; results show those that did not, too.
    xds_bootstrap: of a target "xds:///service", which gRPC's own engines have: what
        GRPC_XDS_BOOTSTRAP_CONFIG would say (gRFC A27); "": gRPC reads its environment.
    options: see `ChannelOptions`.

    May be used by several threads. It does not survive os.fork: in the child every use of it raises
    RuntimeError.

    Raises ValueError for a target, a policy or an engine that there is not, or an option that the
    engine cannot be told.
    """

    @takes(DEFAULTS)
    def __init__(
        self,
        target: str,
        *,
        title: str = "",
        world: str = "",
        name: str = "client-1",
        pods: Callable[[], Iterable[str]] = tuple,
        xds_bootstrap: str = "",
        **options: Unpack[ChannelOptions],
    ) -> None:
        need("Channel")
        self.target = target
        what = told(options)
        self.policy, self.engine = what.policy, what.engine
        self.title = title or target
        self.world = world
        self.name = name
        self._pods = pods
        self._seeds = random.Random(options.get("seed"))
        self._channel: _core.GreetChannel | GrpcioChannel
        if self.engine not in ENGINES:
            raise ValueError(f"engine {self.engine!r}: there is {str(ENGINES)[1:-1]}")
        if self.engine == "grpcio":
            policy = what.policy
            if options.get("shuffle_address_list") and policy == "pick_first":
                policy = {policy: {"shuffleAddressList": True}}
            self._channel = GrpcioChannel(
                target,
                name,
                policy,
                what.core,
                service_config=what.given,
                xds_bootstrap=xds_bootstrap,
            )
        else:
            self._channel = _core.open_channel(
                engine=self.engine,
                target=target,
                name=name,
                policy=what.config,
                service_config=what.service_config,
                xds_bootstrap=xds_bootstrap,
                **what.core,
            )
        self._recorded = self._channel.trace(world)
        self.before_trace: list[Callable[[], None]] = []
        """Asked each time before the trace is shown: who is on the way, and says more if asked."""
        # Also when the interpreter ends while another thread is in a call.
        self._closing = weakref.finalize(self, self._channel.close)

    def _run(self, load: Load, *, keep_results: bool) -> Calls:
        self._check_open()
        log = self._channel.run(
            load.first_name,
            load.last_name,
            load.n,
            load.concurrency,
            load.every,
            load.timeout,
            load.wait_for_ready,
            load.metadata,
            *load.keys,
            keep_results,
            self._seeds.getrandbits(64),
        )
        return Calls(log, title=self.title, world=self.world, known=self._pods())

    def call_method(
        self,
        path: str,
        message: bytes = b"",
        *,
        metadata: AnyMetadata = (),
        timeout: float = 5.0,
        wait_for_ready: bool = False,
        stream: bool = False,
        most: int = 0,
    ) -> _core.MethodAnswer:
        """Calls any method once: its status, its messages, what was said beside them.

        path: "/grpc.health.v1.Health/Check". message: the request, as protobuf has it or whatever
        the method takes. metadata: {name: value}, or pairs, at most 8; a value is printable ASCII,
        or bytes where the name ends with "-bin". timeout: seconds.
        stream: the method may answer with any number of messages; if not, with one. most: once so
        many have come the call is given up, with CANCELLED; 0: never.

        A call that fails is an answer like any other. Raises ValueError for a path or metadata that
        cannot be sent, and on a channel that is closed.
        """
        self._check_open()
        arguments.timeout(timeout)
        arguments.whole("most", most, 0)
        return self._channel.call_method(
            path, message, pairs(metadata), timeout, wait_for_ready, stream, most
        )

    def _await_ready(self, all: bool, pods: int | None, timeout: float) -> bool:
        self._check_open()
        if pods is None:
            result = self._channel.wait_ready(all, timeout)
        else:
            result = self._channel.wait_for_pods(pods, timeout)
        if result == "closed":
            raise ValueError(f"{self.title}: this channel was closed while it was waited for")
        return result == "ready"

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
        """What has happened so far; with gRPC's engines: that calls began and how they ended."""
        if self._closing.alive:
            self._look()
        return Trace(self._recorded.now())

    def close(self) -> None:
        """Cancels what is in flight and closes the connections. Closing twice is fine."""
        if self._closing.alive and self.before_trace:
            self._look()
        self._closing()

    def _look(self) -> None:
        for look in self.before_trace:
            look()
        self._channel.flush()

    def tell_pod_changed(
        self, pod: str, addresses: Sequence[str], change: str, *, ends: bool = False
    ) -> None:
        """Puts into the trace what the cluster does to a pod: "killed", "started", ...

        A trace tells so what the channel only feels. gRPC's engines have no such trace.

        addresses: of each family one.
        ends: its connections end because of it. To be told before it is done.
        """
        self._channel.tell_pod_changed(pod, addresses, change, ends)

    def tell_endpoints_changed(
        self, service: str, endpoints: Sequence[_core.SliceEndpoint], *, lag: float = 0.0
    ) -> None:
        """The same for a service's endpoints: those that are ready are listed.

        A channel that watches the service (its target is "watch:///" and the service's name) is
        told, too: this is the cluster's word, and all that it ever hears.

        lag: seconds that the news take to such a channel.
        """
        self._channel.tell_endpoints_changed(service, endpoints, lag)

    def tell_xds(self, client: str, step: str, type: str, version: str, detail: str) -> None:
        """Puts a message of an xDS stream into the trace, of whichever engine; see `XdsEvent`."""
        self._channel.tell_xds(client, step, type, version, detail)

    def tell_proxy(self, proxy: str, endpoint: str, connections: int, calls: int) -> None:
        """Puts into the trace, of whichever engine, what a proxy says of one of its endpoints: how
        many connections it has to it, and how many calls it has sent there.
        """
        self._channel.tell_proxy(proxy, endpoint, connections, calls)

    def _check_open(self) -> None:
        if not self._closing.alive:
            raise ValueError(f"{self.title}: this channel is closed; open another one")
