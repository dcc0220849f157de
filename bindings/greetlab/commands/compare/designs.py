"""The designs, as data: whom the client calls, how, and what somebody has to operate."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from greetlab.clusters.cluster import (
    CLUSTER_IP_SERVICE,
    ENVOY_SERVICE,
    HAPROXY_SERVICE,
    HEADLESS_SERVICE,
    WATCH,
    XDS,
)
from greetlab.clusters.processes import StartError
from greetlab.clusters.proxies import envoy, haproxy

_BOTH = ("sim", "local")
_LOCAL = ("local",)


@dataclass(frozen=True)
class Design:
    """One way to have the calls of many clients reach many pods.

    kind: who decides which pod is called.
    target: what a client calls; None: a sidecar of its own.
    channel, cluster: options of its channel, and of the cluster.
    per_call: it opens a channel for each call, and closes it.
    asks: it asks the cluster's balancer before each call.
    parts: what is to be operated, apart from clients and pods.
    worlds: where it can be run. takes: what not everybody has: an extra of the package, or HAProxy.
    """

    name: str
    kind: str
    target: str | None
    parts: Sequence[str]
    channel: Mapping[str, Any] = field(default_factory=dict)
    cluster: Mapping[str, Any] = field(default_factory=dict)
    per_call: bool = False
    asks: bool = False
    worlds: Sequence[str] = _BOTH
    takes: str = ""

    def lacks(self) -> str:
        """What it takes and is not installed, and what installs it; "": it can be run."""
        try:
            if (program := _PROGRAMS.get(self.takes)) is not None:
                program()
        except StartError as error:
            return str(error)
        if self.takes in ("grpcio", "xds") and importlib.util.find_spec("grpc") is None:
            return f"there is no grpcio: pip install 'greetlab[{self.takes}]'"
        return ""


_PROGRAMS: Mapping[str, Callable[[], object]] = {
    "envoy": envoy.program,
    "haproxy": haproxy.program,
}

_TURNS = {"policy": "round_robin"}

AGE = 2.0
"""Seconds. In life it is minutes."""

DESIGNS = (
    Design("ClusterIP, pick_first", "the ClusterIP", CLUSTER_IP_SERVICE, ("kube-proxy",)),
    Design(
        "a connection per call", "the ClusterIP", CLUSTER_IP_SERVICE, ("kube-proxy",), per_call=True
    ),
    Design("headless, pick_first", "the client, by DNS", HEADLESS_SERVICE, ("cluster DNS",)),
    Design(
        "headless, round_robin", "the client, by DNS", HEADLESS_SERVICE, ("cluster DNS",), _TURNS
    ),
    Design(
        "  + connection age",
        "the client, by DNS",
        HEADLESS_SERVICE,
        ("cluster DNS", "the pods' MAX_CONNECTION_AGE"),
        _TURNS,
        {"max_connection_age": AGE, "max_connection_age_grace": 5.0},
    ),
    Design(
        "a watch, round_robin",
        "the client, told",
        WATCH + HEADLESS_SERVICE,
        ("the Kubernetes API", "a Role for each client"),
        _TURNS,
    ),
    Design(
        "a lookaside balancer",
        "a balancer, asked",
        CLUSTER_IP_SERVICE,
        ("a balancer", "a client of its own kind"),
        cluster={"lookaside": True},
        asks=True,
        worlds=_LOCAL,
        takes="grpcio",
    ),
    Design(
        "xDS, proxyless gRPC",
        "the client, told",
        XDS + CLUSTER_IP_SERVICE,
        ("an xDS control plane", "a bootstrap file for each client"),
        {"engine": "grpcio"},
        {"xds": True},
        worlds=_LOCAL,
        takes="xds",
    ),
    Design(
        "Envoy as a gateway",
        "a proxy",
        ENVOY_SERVICE,
        ("Envoy", "its configuration"),
        cluster={"proxy": "envoy"},
        worlds=_LOCAL,
        takes="envoy",
    ),
    Design(
        "HAProxy as a gateway",
        "a proxy",
        HAPROXY_SERVICE,
        ("HAProxy", "what tells it of pods"),
        cluster={"proxy": "haproxy"},
        worlds=_LOCAL,
        takes="haproxy",
    ),
    Design(
        "a sidecar Envoy each",
        "a proxy",
        None,
        ("an Envoy in each client's pod", "their control plane"),
        worlds=_LOCAL,
        takes="envoy",
    ),
)

FEW_EACH = Design(
    "a watch, 5 pods each",
    "the client, told",
    WATCH + HEADLESS_SERVICE,
    ("the Kubernetes API", "a Role for each client"),
    {
        "policy": {
            "random_subsetting_experimental": {
                "subsetSize": 5,
                "childPolicy": [{"round_robin": {}}],
            }
        }
    },
)
"""Subsetting (gRFC A68), which makes sense for a fleet only."""
