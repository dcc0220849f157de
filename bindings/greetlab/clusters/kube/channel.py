"""A channel whose client is in a pod."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Unpack

from greetlab import _core
from greetlab.channels.calls import Calls
from greetlab.channels.greet_channel import GreetChannel, Load
from greetlab.channels.options import ENGINES, ChannelOptions, told
from greetlab.channels.policies import AnyPolicy, policy_name
from greetlab.clusters.kube.served import PATIENCE, Served, ServedError
from greetlab.trace.trace import Trace

_TRACE_CAPACITY = {name: default for name, default, _ in _core.channel_options()}["trace_capacity"]


@dataclass(frozen=True)
class KubeSubchannel:
    """A subchannel of a client in a pod: where to, in which state, and our ends of its
    connections.
    """

    address: str
    state: str
    local_addresses: Sequence[str] = ()


class KubeChannel(GreetChannel):
    """A channel of greet-client's in a pod, driven from here.

    Its events come as they happen; times in its trace are the clock (CLOCK_MONOTONIC) of the
    client's node.

    served: the client. target: as the pod dials it. pods: the names of those that could answer.
    options: see `ChannelOptions`; files that `ca`, `cert` and `key` name are the pod's.

    Raises ValueError for what there is not, ServedError if the client is gone.
    """

    engine = ENGINES[0]

    def __init__(
        self,
        served: Served,
        target: str,
        *,
        name: str,
        title: str,
        pods: Callable[[], Iterable[str]] = tuple,
        **options: Unpack[ChannelOptions],
    ) -> None:
        what = told(options)
        if what.engine != self.engine:
            raise ValueError(
                f"engine {what.engine!r}: greet-client in the pod has {self.engine!r} only, and "
                "nothing of gRPC's libraries"
            )
        self.target = target
        self.name, self.title, self.world = name, title, served.world
        self.policy = what.policy
        self._served = served
        self._pods = pods
        self._seeds = random.Random(options.get("seed"))
        self._closed = False
        options_there: dict[str, Any] = {k: v for k, v in what.core.items() if v is not None}
        self._recorded = _core.ReceivedTrace(
            options_there.get("trace_capacity", _TRACE_CAPACITY), self.world
        )
        fields: dict[str, Any] = {"policy": told_policy(what.policy, options)}
        if what.service_config is not None:
            fields["service_config"] = what.service_config.text
        try:
            served.open(name, self._recorded, target=target, options=options_there, **fields)
        except ServedError as error:
            raise ValueError(str(error)) from error

    def _run(self, load: Load, *, keep_results: bool) -> Calls:
        self._check_open()
        header, keys = load.keys
        line = self._served.line(
            "greet",
            patience=None,
            channel=self.name,
            first_name=load.first_name,
            last_name=load.last_name,
            calls=load.n,
            concurrency=load.concurrency,
            every=_core.time_word(load.every),
            timeout=load.timeout,
            wait_for_ready=load.wait_for_ready,
            metadata=[[name, base64.b64encode(value).decode()] for name, value in load.metadata],
            key_header=header,
            keys=keys,
            seed=self._seeds.getrandbits(63),
            keep_results=keep_results,
        )
        log = _core.answered_calls(line)
        return Calls(log, title=self.title, world=self.world, known=self._pods())

    def _await_ready(self, all: bool, pods: int | None, timeout: float) -> bool:
        self._check_open()
        fields: dict[str, Any] = {} if pods is None else {"pods": pods}
        how = self._served.ask(
            "wait_ready",
            patience=timeout + PATIENCE,
            channel=self.name,
            all=all,
            timeout=timeout,
            **fields,
        )
        if how == "closed":
            raise ValueError(f"{self.title}: this channel was closed while it was waited for")
        return bool(how == "ready")

    @property
    def state(self) -> str:
        """Connectivity state: IDLE, CONNECTING, READY, TRANSIENT_FAILURE or SHUTDOWN."""
        return "SHUTDOWN" if self._closed else str(self._look()["state"])

    @property
    def subchannels(self) -> list[KubeSubchannel]:
        """The subchannels that there are now."""
        return [] if self._closed else [KubeSubchannel(**s) for s in self._look()["subchannels"]]

    @property
    def trace(self) -> Trace:
        """What has happened so far; all of it stays when the channel is closed."""
        if not self._closed:
            self._look()  # what happened before this answer has come before it
        return Trace(self._recorded.trace)

    def close(self) -> None:
        """Cancels what is in flight and closes the connections. Closing twice is fine."""
        if not self._closed:
            self._closed = True
            with suppress(ServedError):  # it is gone, and the channel with it
                self._served.ask("close", channel=self.name)

    def tell_pod_changed(
        self, pod: str, addresses: Sequence[str], change: str, *, ends: bool = False
    ) -> None:
        """Puts into the trace what the cluster does to a pod; see `Channel.tell_pod_changed`."""
        self._tell("pod_changed", pod=pod, addresses=addresses, change=change, ends=ends)

    def tell_endpoints_changed(
        self, service: str, endpoints: Sequence[_core.SliceEndpoint]
    ) -> None:
        """The same for a service's endpoints; a channel that watches it is told so, too."""
        told = [
            {
                "pod": one.pod,
                "address": one.address,
                "ready": one.ready,
                "serving": one.serving,
                "terminating": one.terminating,
            }
            for one in endpoints
        ]
        self._tell("endpoints_changed", service=service, endpoints=told)

    def _tell(self, what: str, **fields: Any) -> None:
        if self._closed:
            return
        try:
            self._served.ask(what, channel=self.name, **fields)
        except ServedError:
            if not self._closed:  # meanwhile
                raise

    def _look(self) -> dict[str, Any]:
        found: dict[str, Any] = self._served.ask("state", channel=self.name)
        return found

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.title}: this channel is closed; open another one")

    def _engine_in_words(self) -> str:
        return f"engine {self.engine} in {self._served.where}"


def told_policy(policy: AnyPolicy, options: ChannelOptions) -> str | Mapping[str, Any]:
    """As the client is told it: a name, or a service config's entry."""
    if isinstance(policy, type):
        raise ValueError(
            f"policy {policy_name(policy)}: a class of yours is here, and the client is in a pod; "
            "what it can be told is a policy's name, or a service config's entry"
        )
    if options.get("shuffle_address_list") and policy == "pick_first":
        return {"pick_first": {"shuffleAddressList": True}}
    return policy
