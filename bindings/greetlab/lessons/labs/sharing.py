"""The steps that labs share: a gateway that looks a headless Service up and shares its requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from greetlab.channels.policies import POLICIES
from greetlab.clusters.kube.kubectl import KubectlError, Object
from greetlab.clusters.kube.namespace import NAMESPACE
from greetlab.clusters.kube.pods import is_ready, ready_since, started_at, trouble
from greetlab.lessons.labs import gateway
from greetlab.lessons.labs.lab import Step, Wrong
from greetlab.lessons.labs.seen import Seen

SERVER, GATEWAY = "greetserver", "greetgateway"
GREETINGS = 12
"""Enough that each of three pods has four turns, and each of five has two."""
_NOT_ASKED = ("Forbidden", "Unauthorized")
_NOT_REACHED = "trying to reach service"
"""For these reasons a greeting never comes to a gateway that is ready: the check cannot look."""


# The pods.


def at_least(pods: int) -> Step:
    """The step that wants so many servers, all of them ready."""

    def servers(seen: Seen) -> str:
        deployment = deployment_of(seen, SERVER)
        wanted = deployment["spec"].get("replicas", 1)
        if wanted < pods:
            many = f"{wanted} pod{'s' * (wanted != 1)}"
            raise Wrong(f"the Deployment {SERVER} asks for {many}, and this lab is about {pods}.")
        all_ready(seen, deployment)
        return f"Deployment {SERVER}: {wanted} pods are ready"

    return servers


def deployment_of(seen: Seen, name: str) -> Object:
    """The Deployment of this name. Raises Wrong if there is none."""
    if not seen.namespace:
        raise Wrong(f"there is no namespace {NAMESPACE}: nothing is deployed yet.")
    there = seen.all("Deployment")
    if name not in there:
        raise Wrong(f"there is no Deployment {name}: there is {', '.join(there) or 'none'}.")
    return there[name]


def all_ready(seen: Seen, deployment: Object) -> None:
    """Every pod is ready, and is as the Deployment wants it by now."""
    name, wanted = deployment["metadata"]["name"], deployment["spec"].get("replicas", 1)
    pods = seen.pods_of(deployment["spec"]["selector"]["matchLabels"])
    for pod, thing in sorted(pods.items()):
        if not is_ready(thing):
            raise Wrong(f"{pod} of the Deployment {name} is not ready: {trouble(thing)}.")
    status = deployment["status"]
    taken_up = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    new = status.get("updatedReplicas", 0) if taken_up else 0
    if new < wanted or len(pods) != wanted:
        raise Wrong(
            f"the Deployment {name} is still on its way: it has {len(pods)} pods, {new} of them as "
            f"it now wants its {wanted}."
        )


# The Service that the gateway's environment names.


def dialled(seen: Seen) -> str:
    """The Service that the gateway names is there."""
    told = gateway.read(deployment_of(seen, GATEWAY))
    _service(seen)
    return f"the gateway looks up {told.host}"


def _service(seen: Seen) -> Object:
    told = gateway.read(deployment_of(seen, GATEWAY))
    there = seen.all("Service")
    if told.service not in there:
        raise Wrong(
            f"{told.told_by} leads to a Service {told.service}, which does not exist: there is "
            f"{', '.join(there) or 'none'}."
        )
    return there[told.service]


def endpoints(seen: Seen) -> str:
    """Every ready server is an endpoint of it."""
    service = _service(seen)
    name, spec = service["metadata"]["name"], service["spec"]
    servers = seen.pods_of(deployment_of(seen, SERVER)["spec"]["selector"]["matchLabels"])
    _selects(seen, service, servers)
    if spec.get("publishNotReadyAddresses"):
        raise Wrong(
            f"your Service {name} has publishNotReadyAddresses: its name is answered with pods "
            "that are not ready, too."
        )
    listed = {
        (endpoint.get("targetRef") or {}).get("name")
        for piece in seen.endpoints(name)
        for endpoint in piece.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready", True)
    }
    missing = sorted(set(servers) - listed)
    if missing:
        raise Wrong(
            f"{len(missing)} of {len(servers)} ready pods are not among the endpoints of your "
            f"Service {name}: {', '.join(missing)}."
        )
    target_ports(service, servers)
    return f"Service {name}: {len(servers)} endpoints, all of {SERVER}"


def _selects(seen: Seen, service: Object, servers: dict[str, Object]) -> None:
    """The Service's selector chooses the servers' pods, and no other."""
    name, selector = service["metadata"]["name"], service["spec"].get("selector") or {}
    if not selector:
        raise Wrong(f"your Service {name} has no selector: no pod becomes its endpoint.")
    chosen = seen.pods_of(selector)
    told = ", ".join(f"{key}={value}" for key, value in selector.items())
    if not chosen:
        labels = next(iter(servers.values()))["metadata"]["labels"]
        carried = ", ".join(
            f"{key}={value}" for key, value in labels.items() if key != "pod-template-hash"
        )
        raise Wrong(
            f"your Service {name} has no endpoints: it selects {told}, and the pods of {SERVER} "
            f"carry {carried}."
        )
    others = sorted(set(chosen) - set(servers))
    if others:
        raise Wrong(
            f"your Service {name} selects {told}, which also chooses {', '.join(others)}, no pod "
            f"of {SERVER}."
        )


def target_ports(service: Object, servers: dict[str, Object]) -> None:
    """The Service's targetPort is a port that its pods' containers have."""
    name, known = service["metadata"]["name"], container_ports(servers)
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort", port["port"])
        if isinstance(target, str) and target not in known.values():
            raise Wrong(f"targetPort {target} of your Service {name} names no port of the pods.")
        if isinstance(target, int) and target not in known:
            raise Wrong(
                f"your Service {name} leads to port {target} of the pods, where none listens."
            )


def container_ports(pods: dict[str, Object]) -> dict[int, str]:
    """The names of the ports that the pods' containers have, "" for none, by number."""
    return {
        port["containerPort"]: port.get("name", "")
        for pod in pods.values()
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
    }


def headless(seen: Seen) -> str:
    """It has no address of its own."""
    service = _service(seen)
    name, address = service["metadata"]["name"], service["spec"].get("clusterIP")
    if address != "None":
        kind = service["spec"].get("type", "ClusterIP")
        has = f"still has a clusterIP: {address}" if address else f"is of type {kind}"
        raise Wrong(f"the Service that your gateway dials, {name}, {has}.")
    return f"Service {name} is headless: its name has the pods' own addresses"


# What the gateway does with the addresses.


def port(seen: Seen) -> str:
    """The gateway dials the pods' own port."""
    told = gateway.read(deployment_of(seen, GATEWAY))
    if not told.port.isdigit():
        raise Wrong(f"GRPC_SERVER_PORT is {told.port!r}, which is no port number.")
    servers = seen.pods_of(deployment_of(seen, SERVER)["spec"]["selector"]["matchLabels"])
    if int(told.port) not in container_ports(servers):
        raise Wrong(
            f"the gateway dials port {told.port} of the pods themselves, and none listens there: "
            "a headless Service translates no port."
        )
    return f"the gateway dials port {told.port}, where the pods listen"


def policy(seen: Seen) -> str:
    """It uses all the addresses that it gets."""
    told = gateway.read(deployment_of(seen, GATEWAY))
    if told.policy not in POLICIES:
        raise Wrong(f"GRPC_POLICY is {told.policy!r}, a policy that the gateway does not know.")
    if told.policy == "pick_first":
        why = "GRPC_POLICY says so" if told.set_policy else "GRPC_POLICY is not set"
        many = deployment_of(seen, SERVER)["spec"].get("replicas", 1)
        raise Wrong(f"the gateway's policy is pick_first ({why}): of {many} addresses it uses one.")
    if told.policy == "random":
        raise Wrong("the gateway's policy is random: the pods share by luck, and take no turns.")
    return f"the gateway's policy is {told.policy}"


def gateway_ready(seen: Seen) -> str:
    """The gateway is ready, and as it is wanted by now."""
    all_ready(seen, deployment_of(seen, GATEWAY))
    return f"Deployment {GATEWAY} is ready"


# And what comes of it.


def shared(seen: Seen) -> str:
    """Greetings reach every server, which the gateway chooses."""
    return _shared(seen, _late)


def shared_by_proxy(seen: Seen) -> str:
    """Greetings reach every server, which a proxy behind the gateway chooses."""
    return _shared(seen, lambda seen, idle: "")


def _shared(seen: Seen, why: Callable[[Seen, list[Object]], str]) -> str:
    """why: what else there is to say of the servers that answered nothing."""
    services = seen.all("Service")
    if GATEWAY not in services:
        raise Wrong(f"there is no Service {GATEWAY}: nobody can reach the gateway.")
    port = services[GATEWAY]["spec"]["ports"][0]
    try:
        answers = [
            seen.greet(GATEWAY, port.get("name") or str(port["port"])) for _ in range(GREETINGS)
        ]
    except KubectlError as error:
        if not error.reason or error.reason in _NOT_ASKED or _NOT_REACHED in error.detail:
            raise
        raise Wrong(f"a greeting to the gateway was not answered: {error.detail}.") from error
    counts = Counter(answers)
    told = ", ".join(f"{pod} {count}" for pod, count in sorted(counts.items()))
    servers = seen.pods_of(deployment_of(seen, SERVER)["spec"]["selector"]["matchLabels"])
    idle = sorted(set(servers) - set(counts))
    because = why(seen, [servers[name] for name in idle])
    if len(counts) == 1:
        raise Wrong(f"all {GREETINGS} greetings were answered by {answers[0]}.{because}")
    if idle:
        names = ", ".join(idle)
        raise Wrong(f"of {GREETINGS} greetings none was answered by {names}: {told}.{because}")
    return f"{GREETINGS} greetings through the gateway: {told}"


def _late(seen: Seen, idle: list[Object]) -> str:
    """That the pods that answer nothing were not there yet when the gateway looked for them."""
    gateways = seen.pods_of(deployment_of(seen, GATEWAY)["spec"]["selector"]["matchLabels"])
    began = [at for pod in gateways.values() if (at := started_at(pod)) is not None]
    after = [
        pod["metadata"]["name"]
        for pod in idle
        if began and (at := ready_since(pod)) is not None and at > min(began)
    ]
    if not after:
        return ""
    return (
        f" {', '.join(after)} became ready when the gateway was running already: it has looked the "
        "name up, perhaps before, and while its connections are well it does not look again."
    )
