"""What a client is told of a service: gRPC's service config (grpc/grpc doc/service_config.md)."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from greetlab import _core

AnyServiceConfig = str | Mapping[str, Any]
"""Its JSON text, or the dict that it is of."""


class ServiceConfigWarning(UserWarning):
    """A service config is taken, but hardly as it was meant: a misspelt field, a methodConfig for
    no method.
    """


def read(config: AnyServiceConfig, *, told: bool = True) -> _core.ServiceConfig:
    """What a channel is told.

    told: what it warns of is told, as a `ServiceConfigWarning`.

    Raises ValueError, with a sentence for all that is wrong and what stock gRPC does with it;
    TypeError for what is neither a text nor a dict.
    """
    found = _core.read_service_config(_json(config))
    if found.config is None:
        raise ValueError("service config: " + "; ".join(map(str, found.errors)))
    for warning in found.warnings if told else ():
        warnings.warn(f"service config: {warning}", ServiceConfigWarning, stacklevel=_outside())
    return found.config


def read_policy(policy: Mapping[str, Any]) -> _core.PolicyConfig:
    """The policy of one entry of a loadBalancingConfig.

    Raises ValueError also for what a config would only be warned of: who writes Python has no older
    clients to think of.
    """
    here = "loadBalancingConfig"
    found = _core.read_service_config(_json({here: [policy]}))
    wrong = [str(one).replace(f"{here}[0].", "") for one in (*found.errors, *found.warnings)]
    if wrong or found.config is None or found.config.policy is None:
        raise ValueError("; ".join(wrong))
    return found.config.policy


def txt_record(config: AnyServiceConfig | Sequence[Mapping[str, Any]] | None) -> str:
    """The TXT record that has it (gRFC A2); "": there is none.

    config: one for all clients, or a list of choices: [{"percentage": 10, "serviceConfig": {...}}].
        It is published as it is, sense or none: what clients make of it is theirs to say.
    """
    if config is None:
        return ""
    text = config if isinstance(config, str) else json.dumps(config)
    choices = text if text.lstrip().startswith("[") else f'[{{"serviceConfig": {text}}}]'
    return f"grpc_config={choices}"


def _json(config: Any) -> bytes:
    if isinstance(config, str):
        return config.encode(errors="surrogatepass")  # which is no JSON, and is told so
    if not isinstance(config, Mapping):
        raise TypeError(f"service config {config!r}: JSON text, or a dict")
    try:
        return json.dumps(config, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"service config {config!r}: {error}") from error


def _outside() -> int:
    """How far up the call came from out of this package: whose line it is."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("greetlab."):
        level, frame = level + 1, frame.f_back
    return level
