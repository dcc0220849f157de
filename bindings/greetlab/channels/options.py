"""What a channel can be told. The core has each option, with its default and its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

from greetlab import _core
from greetlab.channels import service_config
from greetlab.channels.grpcio import channel as grpcio
from greetlab.channels.policies import POLICIES, AnyPolicy, policy_config, policy_name
from greetlab.channels.service_config import AnyServiceConfig

ENGINES_HELP = {**dict(_core.engines()), "grpcio": grpcio.HELP}
"""Whose core can make the calls, and what it is; the first is the usual one."""
ENGINES = tuple(ENGINES_HELP)


class ChannelOptions(TypedDict, total=False):
    """Of these, those that are not given have their defaults."""

    policy: AnyPolicy
    service_config: AnyServiceConfig | None
    engine: str
    shuffle_address_list: bool
    cooldown: float
    keepalive_time: float
    keepalive_timeout: float
    keepalive_without_calls: bool
    idle_timeout: float
    dns_service_config: bool
    kubeconfig: str
    connection_per_call: bool
    source_ip: str
    frames: bool
    tls: bool
    ca: str
    cert: str
    key: str
    server_name: str
    seed: int | None
    trace_capacity: int


DEFAULTS: list[tuple[str, Any, str]] = [
    (
        "policy",
        POLICIES[0],
        "one of `greetlab.POLICIES` by its name, an entry of a service config's "
        'loadBalancingConfig, such as {"least_request": {"choiceCount": 3}}, or a class of your '
        "own: see `greetlab.Policy`",
    ),
    (
        "service_config",
        None,
        "all that the channel is to do (grpc/grpc doc/service_config.md), as its JSON text or a "
        "dict: a policy, and timeouts, retries, hedging for some methods or all; `policy` is the "
        'short form of its loadBalancingConfig; the engine "grpcio" gives it to gRPC as it is',
    ),
    (
        "engine",
        ENGINES[0],
        'whose core makes the calls: "lab", ours, every step of which is in the trace; "grpc", '
        'gRPC\'s own (C++), which shows no more than how calls ended; "grpcio", the same of '
        "PyPI's newest, in a process of its own",
    ),
    (
        "shuffle_address_list",
        False,
        "pick_first tries the addresses in random order (gRFC A62; gRPC itself since 1.56)",
    ),
    *_core.channel_options(),
]
"""(name, default, help) of each; times are in seconds."""


@dataclass(frozen=True)
class Told:
    """What a channel was told. core: what the core has options for, as far as it was given. given:
    the service config, as it was.
    """

    policy: AnyPolicy
    engine: str
    config: _core.PolicyConfig
    service_config: _core.ServiceConfig | None
    given: AnyServiceConfig | None
    core: dict[str, Any]


def told(options: ChannelOptions, there: Iterable[str] = ChannelOptions.__annotations__) -> Told:
    """Reads the options.

    there: the names of those that there are.

    Raises TypeError for one that there is not; what `policy_config` and `service_config.read`
    raise; ValueError where those two say different things.
    """
    names = list(there)
    for name in options:
        if name not in names:
            raise TypeError(f"no option {name!r}: there is {', '.join(names)}")
    core: dict[str, Any] = {**options}
    policy, given, engine, shuffle = (core.pop(name, default) for name, default, _ in DEFAULTS[:4])
    config = policy_config(policy, shuffle_address_list=shuffle)
    # grpcio's is given to it as it is: what gRPC makes of it is to be seen.
    whole = None if given is None or engine == "grpcio" else service_config.read(given)
    if whole is not None and whole.policy is not None:
        said = {"policy", "shuffle_address_list"} & options.keys()
        if said and config != whole.policy:
            raise ValueError(
                f"{' and '.join(sorted(said))}: {policy_name(policy)}, and the service_config says "
                f"{whole.policy.policy}; give one of the two"
            )
        policy, config = whole.policy.policy, whole.policy
    return Told(policy, engine, config, whole, given, core)


def channel_title(options: ChannelOptions) -> str:
    """How a channel deals with its calls, in two words."""
    if options.get("connection_per_call"):
        return "connection per call"
    given = options.get("service_config")
    if given is not None and options.get("engine") != "grpcio":
        policy = service_config.read(given, told=False).policy
        if policy is not None:
            return policy.policy
    return policy_name(options.get("policy", POLICIES[0]))


Function = TypeVar("Function", bound=Callable[..., Any])


def takes(defaults: list[tuple[str, Any, str]]) -> Callable[[Function], Function]:
    """Shows what `**options` are: in the signature, for completion, and in the docstring."""

    def shown(function: Function) -> Function:
        signature = inspect.signature(function)
        *parameters, _ = signature.parameters.values()
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            for name, default, _ in defaults
        ]
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        lines = [f"    {name} ({default!r}): {text}." for name, default, text in defaults]
        doc = inspect.cleandoc(function.__doc__ or "")
        function.__doc__ = "\n".join([doc, "", "Options, and their defaults:", "", *lines])
        return function

    return shown
