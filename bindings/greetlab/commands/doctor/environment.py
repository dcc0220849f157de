"""The proxies that an environment tells clients to ask (grpc/grpc environment_variables.md)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
"""In gRPC's order."""


@dataclass(frozen=True)
class AskedProxy:
    """A proxy that clients ask. spared: whom they do not ask it for."""

    variable: str
    url: str
    spared: tuple[str, ...]


def proxy_of(environment: Mapping[str, str]) -> AskedProxy | None:
    """The proxy that is set, if any."""
    variable = next((name for name in PROXY_VARIABLES if environment.get(name)), None)
    if variable is None:
        return None
    spared = environment.get("no_grpc_proxy", environment.get("no_proxy", ""))
    words = tuple(word.strip() for word in spared.split(",") if word.strip())
    return AskedProxy(variable, environment[variable], words)


def proxy_for(host: str, environment: Mapping[str, str]) -> AskedProxy | None:
    """The proxy that clients ask for this host; None if they go there themselves.

    Tried with grpcio 1.85: no_proxy knows networks, and ends of names as they stand, final dot and
    all. It knows no "*".
    """
    asked = proxy_of(environment)
    if asked is None or any(_spares(word, host.strip("[]")) for word in asked.spared):
        return None
    return asked


def _spares(word: str, host: str) -> bool:
    if host.endswith(word):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(word, strict=False)
    except ValueError:  # one of them is a name
        return False


def without_password(url: str) -> str:
    """The URL without who asks."""
    return re.sub(r"//[^/@]*@", "//", url)
