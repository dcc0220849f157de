"""A service config in plain words."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from greetlab.channels.policies import POLICIES

if TYPE_CHECKING:
    from greetlab import _core

_PARTS = {
    "loadBalancingConfig": "loadBalancingConfig",
    "loadBalancingPolicy": "loadBalancingPolicy",
    "retryThrottling": "retryThrottling",
    "healthCheckConfig": "healthCheckConfig",
    "timeout": "timeout",
    "waitForReady": "waitForReady",
    "retryPolicy": "retryPolicy",
    "hedgingPolicy": "hedgingPolicy",
    "maxRequestMessageBytes": "messageBytes",
    "maxResponseMessageBytes": "messageBytes",
}
"""A field of a service config, and its row in languages.toml."""


class Row(NamedTuple):
    """What the languages make of one part: which of them do what, those that do the same together.

    languages: by what they do.
    """

    part: str
    languages: dict[str, list[str]]


def sentences(config: _core.ServiceConfig) -> list[str]:
    """What a client does that takes it."""
    told = json.loads(config.text)
    return [_balancing(config.policy), *_methods(told), *_throttling(told), *_health(config, told)]


def rows(config: _core.ServiceConfig) -> list[Row]:
    """What each language makes of the parts that it has; the last row: whether DNS may bring it."""
    table = languages()
    told = json.loads(config.text)
    methods = [method for method in told.get("methodConfig") or [] if method]
    named = [name for one in (told, *methods) for name, value in one.items() if value is not None]
    parts = dict.fromkeys(_PARTS[name] for name in named if name in _PARTS)
    found = [
        _row("as JSON", {**dict.fromkeys(table["languages"], "yes"), **table["parts"]["whole"]})
    ]
    found += [_row(part, table["parts"][part]) for part in parts]
    policy = config.policy
    while policy is not None:
        known = table["policies"].get(policy.policy, {})
        found.append(
            _row(
                f"the policy {policy.policy}",
                {
                    language: f"as {known[language]}" if known.get(language) else "has none such"
                    for language in table["languages"]
                },
            )
        )
        policy = policy.child
    found.append(_row("out of DNS", table["parts"]["dns"]))
    return found


@cache
def languages() -> dict[str, Any]:
    """languages.toml."""
    return tomllib.loads(
        files("greetlab.commands.config").joinpath("languages.toml").read_text("utf-8")
    )


def _row(part: str, cells: Mapping[str, str]) -> Row:
    by_what: dict[str, list[str]] = {}
    for language, what in cells.items():
        by_what.setdefault(what, []).append(language)
    return Row(part, by_what)


def _balancing(policy: _core.PolicyConfig | None) -> str:
    if policy is None:
        return (
            f"It names no policy: {POLICIES[0]}, gRPC's default, picks one address for all calls."
        )
    names = []
    one: _core.PolicyConfig | None = policy
    while one is not None:
        names.append(one.policy)
        one = one.child
    return f"{names[0]} picks who is called" + "".join(f", over {name}" for name in names[1:]) + "."


def _methods(told: Mapping[str, Any]) -> Iterator[str]:
    for method in told.get("methodConfig") or []:
        if names := [_called(name) for name in method.get("name") or []]:
            does = list(_does(method))
            yield f"Calls of {' and '.join(names)} {'; '.join(does) or 'go as any other'}."


def _called(name: Mapping[str, Any]) -> str:
    service, method = name.get("service"), name.get("method")
    if not service:
        return "any method that nothing else is said of"
    return f"{service}/{method}" if method else f"{service}, all of it"


def _does(method: Mapping[str, Any]) -> Iterator[str]:
    if timeout := method.get("timeout"):
        yield f"may take {timeout}, or less where the call itself says so"
    if (wait := method.get("waitForReady")) is not None:
        yield (
            "wait for a connection where others fail"
            if wait
            else "fail where there is no connection"
        ) + ", unless the call says otherwise"
    if retry := method.get("retryPolicy"):
        yield (
            f"are tried {min(int(retry['maxAttempts']), 5)} times in all, where they end with "
            f"{_codes(retry.get('retryableStatusCodes'))}: after {retry['initialBackoff']}, then "
            f"{float(retry['backoffMultiplier']):g} times as long each time, {retry['maxBackoff']} "
            "at the most, each ± 20 %"
        )
    if hedging := method.get("hedgingPolicy"):
        yield (
            f"are sent up to {min(int(hedging['maxAttempts']), 5)} times, "
            f"{hedging.get('hedgingDelay') or '0s'} apart, until one is answered"
        )
    for name, what in (("Request", "sent"), ("Response", "taken")):
        if (most := method.get(f"max{name}MessageBytes")) is not None:
            yield f"fail with RESOURCE_EXHAUSTED if more than {most} bytes would be {what}"


def _codes(codes: list[Any] | None) -> str:
    return " or ".join(str(code).upper() for code in codes or []) or "a timeout of their own"


def _throttling(told: Mapping[str, Any]) -> Iterator[str]:
    if throttling := told.get("retryThrottling"):
        most = float(throttling["maxTokens"])
        yield (
            f"Of {most:g} tokens a failure takes one, and a success gives "
            f"{throttling['tokenRatio']} back: at {most / 2:g} or fewer nothing is tried again."
        )


def _health(config: _core.ServiceConfig, told: Mapping[str, Any]) -> Iterator[str]:
    service = (told.get("healthCheckConfig") or {}).get("serviceName")
    if service is None or config.policy is None or config.policy.policy == "pick_first":
        return
    whose = f"the service {service!r}" if service else "its server as a whole"
    yield f"Each connection watches the health of {whose}; without it, it gets no calls."
