"""What the proxy, an Envoy, says of itself: the pods that it knows, and how it calls them.

Its admin interface, through the API server: so this is what it does, whatever its file says by now
(https://www.envoyproxy.io/docs/envoy/latest/operations/admin).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from greetlab.clusters.kube.namespace import NAMESPACE
from greetlab.lessons.exercises.exercise import CannotLook
from greetlab.lessons.labs.seen import Seen

ADMIN_PORT = 9901
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_REFRESH = "5s"
"""Envoy's own default (dns_refresh_rate)."""


@dataclass(frozen=True)
class Cluster:
    """What Envoy calls a cluster: a set of servers.

    kind: "STRICT_DNS", ...: how it comes to its endpoints. names: the hosts of its configuration.
    refresh: seconds from one lookup to the next. policy: "ROUND_ROBIN", ...
    http2: whether it speaks HTTP/2 to them. endpoints: those that it has, address and port.
    """

    kind: str
    names: tuple[str, ...]
    refresh: float
    policy: str
    http2: bool
    endpoints: tuple[tuple[str, int], ...]


def cluster(seen: Seen, pod: str) -> Cluster:
    """The one cluster of the Envoy in this pod.

    Raises CannotLook if it has none or several, KubectlError if it is not reached.
    """
    said = [entry["cluster"] for entry in _ask(seen, pod, "/config_dump?resource=static_clusters")]
    if len(said) != 1:
        names = ", ".join(str(one.get("name")) for one in said) or "none"
        raise CannotLook(f"the proxy's clusters are {names}: this looks at one only.")
    (told,) = said
    return Cluster(
        kind=told.get("type", "STATIC"),
        names=tuple(address for address, _ in _endpoints(told.get("load_assignment", {}))),
        refresh=float(told.get("dns_refresh_rate", _REFRESH).removesuffix("s")),
        policy=told.get("lb_policy", "ROUND_ROBIN"),
        http2=_speaks_http2(told),
        endpoints=tuple(_known(seen, pod, told["name"])),
    )


def _known(seen: Seen, pod: str, name: str) -> Iterable[tuple[str, int]]:
    for status in _ask(seen, pod, "/clusters?format=json"):
        if status["name"] == name:
            for host in status.get("host_statuses", ()):
                yield _place(host["address"])


def _endpoints(assignment: dict[str, Any]) -> Iterable[tuple[str, int]]:
    for locality in assignment.get("endpoints", ()):
        for entry in locality.get("lb_endpoints", ()):
            yield _place(entry["endpoint"]["address"])


def _place(address: dict[str, Any]) -> tuple[str, int]:
    where = address.get("socket_address", {})
    return str(where.get("address")), int(where.get("port_value", 0))


def _speaks_http2(told: dict[str, Any]) -> bool:
    options = told.get("typed_extension_protocol_options", {}).get(_OPTIONS, {})
    return (
        "http2_protocol_options" in options.get("explicit_http_config", {})
        or "use_downstream_protocol_config" in options  # as it is spoken to, and so is gRPC's
        or "http2_protocol_options" in told  # deprecated
    )


def _ask(seen: Seen, pod: str, path: str) -> list[dict[str, Any]]:
    reply = seen.kubectl.get_raw(
        f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:{ADMIN_PORT}/proxy{path}"
    )
    try:
        told = json.loads(reply)
        found: list[dict[str, Any]] = told.get("configs") or told.get("cluster_statuses") or []
    except (json.JSONDecodeError, AttributeError) as error:
        raise CannotLook(f"what answers at port {ADMIN_PORT} of {pod} is no Envoy.") from error
    return found
