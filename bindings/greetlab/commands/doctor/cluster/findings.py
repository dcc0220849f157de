"""What is right and wrong with a Service, by what the API, our pod and the client's own tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from greetlab.clusters.kube.kubectl import Object
from greetlab.clusters.kube.pods import trouble
from greetlab.commands.doctor.cluster import policies
from greetlab.commands.doctor.cluster.inside import LABELS as OUR_LABELS
from greetlab.commands.doctor.cluster.report import ServiceLook
from greetlab.commands.doctor.cluster.state import State, words_of
from greetlab.commands.doctor.finding import Finding

SIDECARS = {"istio-proxy": "Istio's", "linkerd-proxy": "Linkerd's"}
"""Containers that a mesh puts beside another."""
_SPOKEN_AS = ("grpc", "http2", "kubernetes.io/h2c")


@dataclass
class Subject:
    """A Service to be judged. client: the Deployment whose Service it is; it is in `client_state`.

    port: one of spec.ports. pods: those that it selects. The rest is the look's.
    """

    look: ServiceLook
    state: State
    service: Object
    port: Object
    client: Object | None = None
    client_state: State | None = None
    pods: list[Object] = field(default_factory=list)

    @property
    def deployment(self) -> Object | None:
        """Behind it."""
        return self.state.deployment_of(self.service["spec"].get("selector"))

    @property
    def target_port(self) -> int | None:
        """The pods' port; None: a name that none of them has."""
        told: Any = self.port.get("targetPort", self.port["port"])
        if isinstance(told, int):
            return told
        named = {name: number for pod in self.pods for name, number in _ports(pod) if name}
        return named.get(told)


def find(subject: Subject) -> None:
    """Fills in the look's findings."""
    for part in (_endpoints, _target_port, _dns, _affinity, _protocol, _policy, _mesh, _running):
        subject.look.findings += part(subject)


def sidecar(template: Object) -> str:
    """Whose proxy is in a pod; a native one is an init container. "" = nobody's."""
    spec = template["spec"]
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        if whose := SIDECARS.get(container["name"]):
            return whose
    told = template.get("metadata", {}).get("annotations") or {}
    return "Linkerd's" if told.get("linkerd.io/inject") == "enabled" else ""


def _ports(pod: Object) -> list[tuple[str, int]]:
    return [
        (port.get("name", ""), port["containerPort"])
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
    ]


def _endpoints(subject: Subject) -> Iterator[Finding]:
    look = subject.look
    if not subject.pods:
        said = ", ".join(f"{k}={v}" for k, v in (subject.service["spec"]["selector"]).items())
        yield Finding(
            "endpoints", "bad", f"no pod has the labels that the Service selects: {said}",
            "compare spec.selector with your pods' labels: kubectl get pods --show-labels",
        )  # fmt: skip
        return
    if not look.ready:
        yield Finding("endpoints", "bad", "nobody is ready: every call fails")
    else:
        yield Finding("endpoints", "good", f"{len(look.ready)} ready")
    by_name = {pod["metadata"]["name"]: pod for pod in subject.pods}
    for name in look.not_ready:
        why = trouble(by_name[name]) if name in by_name else "its EndpointSlice says so"
        remedy = f"kubectl describe pod {name}"
        yield Finding("endpoints", "bad", f"{name} is not ready: {why}", remedy)
    for name in look.terminating:
        yield Finding(
            "terminating", "note", f"{name} is on its way out: it still serves those connected",
            "look again when it has gone, if this was not you",
        )  # fmt: skip


def _target_port(subject: Subject) -> Iterator[Finding]:
    told = subject.port.get("targetPort", subject.port["port"])
    open_ports = sorted({number for pod in subject.pods for _, number in _ports(pod)})
    shown = ", ".join(map(str, open_ports)) or "none"
    if not subject.pods:
        return
    if subject.target_port is None:
        yield Finding(
            "targetPort", "bad", f"no container of its pods has a port named {told!r}",
            f"name one of theirs: {shown}",
        )  # fmt: skip
        return
    number = subject.target_port
    inside = subject.look.inside
    failed = inside.failed.values() if inside else ()
    refused = any("refused" in why for why in failed)
    if refused and number not in open_ports:
        yield Finding(
            "targetPort", "bad",
            f"nobody listens on {number}: connections are refused; the containers declare {shown}",
            "point targetPort at what they listen on",
        )  # fmt: skip
    elif refused:
        yield Finding("targetPort", "bad", f"connections to {number} are refused: nobody listens")
    elif number not in open_ports and open_ports:
        yield Finding(
            "targetPort", "note", f"{number}, which no container declares; they declare {shown}",
            "containerPort only informs, so it may be right all the same",
        )  # fmt: skip
    if subject.look.kind == "headless" and number != subject.port["port"]:
        port = subject.port["port"]
        yield Finding(
            "targetPort", "bad",
            f"headless: clients dial the pods themselves, and nobody maps {port} to {number}",
            f"have clients dial {number}, and say it in the Service, too",
        )  # fmt: skip


def _dns(subject: Subject) -> Iterator[Finding]:
    inside = subject.look.inside
    if inside is None:
        return
    swallowed = not inside.addresses or not all(
        "refused" in why or why.startswith("connected, but") for why in inside.failed.values()
    )
    if swallowed and (names := _held(subject)):
        subject.look.unknown.append(
            f"What your clients see from inside: our pod met {inside.said or 'silence'}, but "
            f"NetworkPolicy {', '.join(names)} holds for it, too, and lets it through nowhere."
        )
        return
    if not inside.addresses:
        yield Finding("DNS", "bad", f"from inside, the name has no address: {inside.said}")
        return
    yield Finding("DNS", "good", f"from inside, the name gives {', '.join(inside.addresses)}")
    for address, why in inside.failed.items():
        if why.startswith("connected, but"):  # somebody is there; and ours speaks plaintext only
            yield Finding("connection", "note", f"{address} from inside: {why}")
        elif "refused" not in why or subject.look.kind == "headless":
            yield Finding("connection", "bad", f"{address} from inside: {why}")


def _held(subject: Subject) -> list[str]:
    """The policies that keep our own pod from what is let through to their client."""
    here = subject.client_state or subject.state
    ours = policies.End(OUR_LABELS, here.namespace, here.labels)
    those = policies.selecting(here.policies, ours, "Egress")
    if subject.pods and (port := subject.target_port) is not None:
        server = _end(subject.pods[0], subject.state)
        if not those or policies.lets(those, ours, server, port, "Egress"):
            those = policies.selecting(subject.state.policies, server, "Ingress")
            if policies.lets(those, server, ours, port, "Ingress"):
                return []
    return [policy["metadata"]["name"] for policy in those]


def _affinity(subject: Subject) -> Iterator[Finding]:
    if subject.service["spec"].get("sessionAffinity", "None") != "ClientIP":
        return
    if subject.look.kind == "headless":
        yield Finding("affinity", "note", "ClientIP does nothing for a headless Service: no proxy")
    else:
        yield Finding(
            "affinity", "bad",
            "sessionAffinity: ClientIP: new connections of a client go where its last ones went",
            "set it to None",
        )  # fmt: skip


def _protocol(subject: Subject) -> Iterator[Finding]:
    told, name = subject.port.get("appProtocol", ""), subject.port.get("name", "")
    if told and told not in _SPOKEN_AS:
        yield Finding(
            "appProtocol", "bad", f"{told!r}, and gRPC is HTTP/2: a proxy may speak HTTP/1 to it",
            "set it to grpc",
        )  # fmt: skip
    elif not told and _meshed(subject) and not name.startswith(("grpc", "http2")):
        yield Finding(
            "appProtocol", "note",
            f"neither it nor the port's name ({name or 'none'}) says gRPC: a mesh has to guess",
            "appProtocol: grpc",
        )  # fmt: skip


def _meshed(subject: Subject) -> bool:
    return any(sidecar(pod) for pod in [*subject.pods, *client_pods(subject)])


def client_pods(subject: Subject) -> list[Object]:
    """The client's."""
    if subject.client is None or subject.client_state is None:
        return []
    selector = subject.client["spec"]["selector"].get("matchLabels")
    return subject.client_state.pods_of(selector)


def blocking(subject: Subject) -> tuple[policies.Direction, list[str]] | None:
    """The NetworkPolicies that together let the client's calls not through, and which way."""
    port = subject.target_port
    if port is None or not subject.pods or subject.client is None or subject.client_state is None:
        return None
    server = _end(subject.pods[0], subject.state)
    for pod in [*client_pods(subject), subject.client["spec"]["template"]][:1]:
        client = _end(pod, subject.client_state)
        ways: list[tuple[policies.Direction, State, policies.End, policies.End]] = [
            ("Ingress", subject.state, server, client),
            ("Egress", subject.client_state, client, server),
        ]
        for way, state, isolated, peer in ways:
            those = policies.selecting(state.policies, isolated, way)
            if those and not policies.lets(those, isolated, peer, port, way):
                return way, [policy["metadata"]["name"] for policy in those]
    return None


def _end(pod: Object, state: State) -> policies.End:
    ip = pod.get("status", {}).get("podIP", "")
    labels = pod.get("metadata", {}).get("labels") or {}
    return policies.End(labels, state.namespace, state.labels, ip, tuple(_ports(pod)))


def _policy(subject: Subject) -> Iterator[Finding]:
    if (found := blocking(subject)) is not None:
        way, names = found
        where = "into its pods" if way == "Ingress" else "out of the client's pods"
        yield Finding(
            "policy", "bad",
            f"NetworkPolicy {', '.join(names)} does not let the client's calls {where}: where the "
            "network enforces it, they are swallowed, and hang",
            "let them through, by a rule",
        )  # fmt: skip
    elif subject.client is None and subject.pods:
        those = policies.selecting(
            subject.state.policies, _end(subject.pods[0], subject.state), "Ingress"
        )
        if those:
            told = ", ".join(policy["metadata"]["name"] for policy in those)
            yield Finding(
                "policy", "note", f"NetworkPolicy {told}: not everybody may call its pods",
                "greetlab doctor deployment/YOUR-CLIENT says whether that one may",
            )  # fmt: skip


def _mesh(subject: Subject) -> Iterator[Finding]:
    theirs = {who for pod in subject.pods if (who := sidecar(pod))}
    mine = {who for pod in client_pods(subject) if (who := sidecar(pod))}
    if mine:
        yield Finding(
            "mesh", "good", f"{', '.join(sorted(mine))} sidecar is beside the client: it shares "
            "each request, if it knows that this is gRPC",
        )  # fmt: skip
    elif theirs:
        yield Finding(
            "mesh", "note", f"{', '.join(sorted(theirs))} sidecar is beside the servers, which "
            "shares nothing: the client's does, and " + ("none is there" if subject.client else
            "only those in the mesh have one"),
        )  # fmt: skip


def _running(subject: Subject) -> Iterator[Finding]:
    deployment = subject.deployment
    if deployment is None:
        return
    spec = deployment["spec"]
    name = deployment["metadata"]["name"]
    scaler = next(
        (
            s
            for s in subject.state.scalers
            if s["spec"]["scaleTargetRef"].get("kind") == "Deployment"
            and s["spec"]["scaleTargetRef"]["name"] == name
        ),
        None,
    )
    if scaler is not None:
        most = scaler["spec"].get("maxReplicas")
        yield Finding(
            "replicas", "note",
            f"HorizontalPodAutoscaler {scaler['metadata']['name']} adds pods, up to {most}: clients"
            " that are connected do not hear of them",
            "let connections end (MAX_CONNECTION_AGE), or have clients watch EndpointSlices",
        )  # fmt: skip
    elif spec.get("replicas", 1) == 1:
        yield Finding(
            "replicas", "note", "1: there is nobody to share calls with", "two, or more"
        )  # fmt: skip
    pod = spec["template"]["spec"]
    containers = [c for c in pod["containers"] if c["name"] not in SIDECARS]
    if not any(c.get("readinessProbe") for c in containers):
        yield Finding(
            "readiness", "bad", "no readiness probe: pods are called before they listen",
            "a probe of kind grpc",
        )  # fmt: skip
    hooks = [hook for c in containers if (hook := (c.get("lifecycle") or {}).get("preStop"))]
    grace = pod.get("terminationGracePeriodSeconds", 30)
    if not hooks:
        yield Finding(
            "preStop", "note",
            "none: SIGTERM comes at the same time as the endpoint goes, so a rollout may lose calls"
            " unless the server waits by itself",
            "let it sleep some seconds",
        )  # fmt: skip
    for seconds in [hook["sleep"]["seconds"] for hook in hooks if "sleep" in hook]:
        if seconds >= grace:
            yield Finding(
                "grace", "bad",
                f"preStop sleeps {seconds} s and terminationGracePeriodSeconds is {grace}: the "
                "server is killed with calls in flight",
                "more grace than preStop, and time to end calls",
            )  # fmt: skip


def policy_told(template: Object) -> str:
    """The policy that its words name; "" if none."""
    words = " ".join(words_of(template))
    return next((name for name in ("round_robin", "pick_first") if name in words), "")
