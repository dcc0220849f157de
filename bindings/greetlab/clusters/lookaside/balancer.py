"""The balancer of lookaside load balancing: a service that says whom to call.

It is the design that the article's series announced, in its plain form: one question, one answer,
one call. The answer is a pod; so the calls of all clients are taken in one turn, where each
client's round_robin has a turn of its own, and a new pod is called at once.

gRPC's own, grpclb, asked once and was sent lists of servers on a stream. It is deprecated: xDS
(gRFC A27) tells who there is, and the client picks by itself.
(https://github.com/grpc/grpc/blob/master/doc/load-balancing.md)
"""

from __future__ import annotations

import random
import threading
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Unpack

from greetlab.channels.options import DEFAULTS, ChannelOptions, takes
from greetlab.clusters.lookaside.channel import WHOM, LookasideChannel
from greetlab.clusters.processes import StartError
from greetlab.dns.lookup import with_port

PORT = 18001
_THREADS = 8
"""That answer. Nothing in an answer waits."""


class Balancer:
    """Serves until it is closed.

    ip: where it listens, at port 18001. service: the name that clients ask for. seed: of what is
    random in its clients, where they are given none.

    Raises StartError if grpcio is missing, or the port is taken.
    """

    def __init__(self, ip: str, service: str, seed: int | None = None) -> None:
        try:
            import grpc
        except ImportError as error:
            raise StartError(
                "there is no grpcio: pip install 'greetlab[grpcio]' has the balancer's server"
            ) from error
        self.address = with_port(ip, PORT)
        self.given: Counter[str] = Counter()
        """How often each pod's "ip:port" was the answer."""
        self._service = service
        self._endpoints: Sequence[str] = ()
        self._turn = 0
        self._lock = threading.Lock()
        self._channels: weakref.WeakSet[LookasideChannel] = weakref.WeakSet()
        self._made = 0
        self._seeds = random.Random(seed)
        self._closed = False
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, "greetlab-lookaside"), options=[("grpc.so_reuseport", 0)]
        )
        _, service_name, method = WHOM.split("/")
        # Without serializers messages are bytes: the question is a service's name, the answer an
        # address.
        handler = grpc.unary_unary_rpc_method_handler(self._whom)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service_name, {method: handler}),)
        )
        self._refused = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND
        try:
            self._server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise StartError(f"the lookaside balancer did not start: {error}") from error
        self._server.start()

    def set_endpoints(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Replaces the endpoints: the next answer is one of these."""
        with self._lock:
            self._endpoints = [with_port(ip, port) for ip, port in addresses]

    @takes(DEFAULTS)
    def channel(self, **options: Unpack[ChannelOptions]) -> LookasideChannel:
        """A new client that asks it before each call.

        options: of its connections to the pods; see `Channel`.

        Raises ValueError for an engine: these connections are the lab's own; and once it is closed.
        """
        if "engine" in options:
            raise ValueError("engine: who asks a lookaside balancer here is the lab's own channel")
        with self._lock:
            if self._closed:
                raise ValueError("this balancer is closed, and its cluster; make another one")
            self._made += 1
            if options.get("seed") is None:
                options["seed"] = self._seeds.getrandbits(63)
            channel = LookasideChannel(
                self.address, self._service, name=f"lookaside-{self._made}", **options
            )
            self._channels.add(channel)
        return channel

    def stop(self) -> None:
        """Takes it away, as when it has died: nobody is told whom to call."""
        self._server.stop(None).wait()

    def close(self) -> None:
        """Ends it, and its clients. Closing twice is fine."""
        with self._lock:
            self._closed = True
        for channel in list(self._channels):
            channel.close()
        self.stop()

    def _whom(self, service: bytes, context: Any) -> bytes:
        """The endpoints by turns: one turn for all clients."""
        unavailable, not_found = self._refused
        if service.decode(errors="replace") != self._service:
            context.abort(not_found, f"whom? there is only {self._service}")
        with self._lock:
            if not self._endpoints:
                context.abort(unavailable, f"whom? no endpoint of {self._service} is listed")
            address = self._endpoints[self._turn % len(self._endpoints)]
            self._turn += 1
            self.given[address] += 1
        return address.encode()
