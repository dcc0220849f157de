"""Lab 5: a proxy that balances the requests of a client which knows one address."""

from __future__ import annotations

from functools import lru_cache

from greetlab.clusters.kube.kubectl import Object
from greetlab.lessons.labs import envoy, gateway, sharing
from greetlab.lessons.labs.lab import Lab, Wrong
from greetlab.lessons.labs.seen import Seen

PROXY = "greetproxy"
LONGEST = 60.0
"""Seconds. A proxy that looks less often is no cure that a learner can wait for."""
_IN_TURN = ("ROUND_ROBIN", "LEAST_REQUEST")


# The client's side.


def _called(seen: Seen) -> str:
    """The Service that the gateway names leads to the proxy."""
    told = gateway.read(sharing.deployment_of(seen, sharing.GATEWAY))
    service = _service(seen)
    proxies = _pods(seen)
    selector = service["spec"].get("selector") or {}
    chosen = seen.pods_of(selector) if selector else {}
    if chosen.keys() & _servers(seen).keys():
        raise Wrong(
            f"the gateway dials {told.service}, behind which are the pods of {sharing.SERVER} "
            "themselves: no request passes the proxy."
        )
    if chosen.keys() != proxies.keys():
        behind = ", ".join(sorted(chosen)) or "no pod"
        raise Wrong(
            f"behind the Service that the gateway dials, {told.service}, is {behind}, and not the "
            f"proxy: {', '.join(sorted(proxies))}."
        )
    return f"behind Service {told.service} is the proxy"


def _port(seen: Seen) -> str:
    """The gateway dials a port of it, and that leads to where the proxy listens."""
    told = gateway.read(sharing.deployment_of(seen, sharing.GATEWAY))
    service = _service(seen)
    proxies = _pods(seen)
    sharing.target_ports(service, proxies)
    if service["spec"].get("clusterIP") == "None":
        ports = sorted(sharing.container_ports(proxies))
        whose = "the proxy itself"
    else:
        ports = [entry["port"] for entry in service["spec"].get("ports") or ()]
        whose = f"the Service {told.service}"
    if told.port not in map(str, ports):
        has = ", ".join(map(str, ports)) or "none"
        raise Wrong(f"the gateway dials port {told.port} of {whose}, which has {has}.")
    return f"the gateway dials its port {told.port}"


def _proxy_ready(seen: Seen) -> str:
    """The proxy is ready, and as it is wanted by now."""
    sharing.all_ready(seen, sharing.deployment_of(seen, PROXY))
    return f"Deployment {PROXY} is ready"


# The pods' side.


def _looks(seen: Seen) -> str:
    """It learns of the pods by itself, and soon."""
    for cluster in _clusters(seen):
        names = ", ".join(cluster.names)
        if cluster.kind == "STATIC":
            raise Wrong(
                f"the proxy's cluster is STATIC, {names}: of a pod that comes later nobody will "
                "tell it."
            )
        if cluster.kind == "LOGICAL_DNS":
            raise Wrong(
                f"the proxy's cluster is LOGICAL_DNS: of the addresses that {names} has it uses "
                "one."
            )
        if cluster.refresh > LONGEST:
            raise Wrong(
                f"the proxy looks {names} up every {cluster.refresh:g} s: so long a new pod may "
                "idle."
            )
    return f"the proxy looks {names} up every {cluster.refresh:g} s"


def _endpoints(seen: Seen) -> str:
    """Its endpoints are the pods, every one of them."""
    servers = _servers(seen)
    addresses = {pod["status"].get("podIP"): name for name, pod in servers.items()}
    for cluster in _clusters(seen):
        names, known = ", ".join(cluster.names), dict(cluster.endpoints)
        if not known:
            raise Wrong(f"the proxy has no endpoint: it looks {names} up in vain.")
        for address, port in cluster.endpoints:
            _is_pod(seen, address, addresses)
            if port not in sharing.container_ports(servers):
                raise Wrong(
                    f"the proxy dials port {port} of the pods themselves, and none listens there: "
                    "a headless Service translates no port."
                )
        missing = sorted(name for address, name in addresses.items() if address not in known)
        if missing:
            raise Wrong(
                f"{len(missing)} of {len(servers)} ready pods are none of the proxy's endpoints: "
                f"{', '.join(missing)}."
            )
    return f"its endpoints are the {len(servers)} pods' own addresses"


def _is_pod(seen: Seen, address: str, servers: dict[str, str]) -> None:
    if address in servers:
        return
    for name, service in seen.all("Service").items():
        if service["spec"].get("clusterIP") == address:
            raise Wrong(
                f"the proxy's endpoint is {address}, which is the Service {name} and no pod: over "
                "its one connection to there all requests go."
            )
    raise Wrong(f"the proxy's endpoint {address} is no pod of {sharing.SERVER}.")


def _http2(seen: Seen) -> str:
    """It speaks to them as gRPC does."""
    if not all(cluster.http2 for cluster in _clusters(seen)):
        raise Wrong("the proxy speaks HTTP/1.1 to the pods, and gRPC is HTTP/2.")
    return "it speaks HTTP/2 to them"


def _policy(seen: Seen) -> str:
    """It uses them in turn."""
    for cluster in _clusters(seen):
        if cluster.policy not in _IN_TURN:
            raise Wrong(f"the proxy's lb_policy is {cluster.policy}: the pods take no turns.")
    return f"its policy is {cluster.policy}"


# What they look at.


def _service(seen: Seen) -> Object:
    """The Service that the gateway dials, which sharing.dialled has found."""
    told = gateway.read(sharing.deployment_of(seen, sharing.GATEWAY))
    return seen.all("Service")[told.service]


def _pods(seen: Seen) -> dict[str, Object]:
    """The proxy's pods, one at least."""
    pods = seen.pods_of(sharing.deployment_of(seen, PROXY)["spec"]["selector"]["matchLabels"])
    if not pods:
        raise Wrong(f"the Deployment {PROXY} has no pod.")
    return pods


def _servers(seen: Seen) -> dict[str, Object]:
    return seen.pods_of(
        sharing.deployment_of(seen, sharing.SERVER)["spec"]["selector"]["matchLabels"]
    )


@lru_cache(maxsize=1)  # of one judgement, whose steps ask for it again and again
def _clusters(seen: Seen) -> list[envoy.Cluster]:
    """What each of the proxy's pods says."""
    return [envoy.cluster(seen, pod) for pod in sorted(_pods(seen))]


LAB = Lab(
    number=5,
    name="a_proxy_that_balances_requests",
    done="every pod answers, in turn, and the client knows one address.",
    steps=(
        sharing.at_least(3),
        sharing.dialled,
        _called,
        _port,
        _proxy_ready,
        _http2,
        _looks,
        _endpoints,
        _policy,
        sharing.gateway_ready,
        sharing.shared_by_proxy,
    ),
)
