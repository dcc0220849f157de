"""Looks at a Service, or at a Deployment's, in a cluster."""

from __future__ import annotations

from contextlib import ExitStack

from greetlab.clusters.kube.job import own_image
from greetlab.clusters.kube.kubectl import Kubectl, KubectlError, Object
from greetlab.clusters.kube.pods import started_at
from greetlab.clusters.kube.served import Served, ServedError
from greetlab.commands.doctor.cluster.connections import connections
from greetlab.commands.doctor.cluster.cures import prescribe
from greetlab.commands.doctor.cluster.findings import Subject, client_pods, find
from greetlab.commands.doctor.cluster.inside import NotInsideError, beside, look
from greetlab.commands.doctor.cluster.report import ClusterReport, ServiceLook
from greetlab.commands.doctor.cluster.state import State, dialled, read
from greetlab.commands.doctor.cluster.verdict import judge

KINDS = {"deployment": "deployment", "deploy": "deployment", "service": "service", "svc": "service"}
"""What a target may begin with, before its "/"."""


def is_cluster_target(target: str) -> bool:
    """Whether it is one of a cluster: "deployment/web"."""
    kind, slash, name = target.partition("/")
    return bool(slash) and kind in KINDS and not name.startswith("/")


def examine_cluster(
    target: str,
    context: str | None = None,
    namespace: str | None = None,
    *,
    image: str | None = None,
    timeout: float = 3.0,
) -> ClusterReport:
    """Examines "service/NAME", or "deployment/NAME".

    A Deployment whose arguments or environment name Services is looked at as the client of these;
    else as the server, by the Services that select its pods.

    context: of the kubeconfig; None: the environment's GREETLAB_CONTEXT. namespace: None: the
    context's own. image: of our pod; None: this version's. timeout: seconds to connect in.

    Nothing is changed but that a Job of ours comes and goes in the namespace.

    Raises ContextNotNamedError without a context, KubectlError for what may not be asked,
    ValueError for what is not there.
    """
    kubectl = Kubectl(context)
    kind, name = KINDS[target.partition("/")[0]], target.partition("/")[2]
    own = read(kubectl, namespace or kubectl.namespace)
    role, subjects = _subjects(kubectl, own, kind, name)
    with ExitStack() as stack:
        served: Served | None = None
        not_inside = ""
        try:
            served = stack.enter_context(beside(kubectl, own.namespace, image or own_image()))
        except (KubectlError, NotInsideError, ServedError) as error:
            not_inside = f"What there is from inside: {error}"
        for subject in subjects:
            _examine(kubectl, subject, served, not_inside, timeout)
    for subject in subjects:
        judge(subject)
        find(subject)
        prescribe(kubectl, subject)
    looks = [subject.look for subject in subjects]
    return ClusterReport(kubectl.context, own.namespace, f"{kind}/{name}", role, looks)


def _subjects(kubectl: Kubectl, own: State, kind: str, name: str) -> tuple[str, list[Subject]]:
    where = f"namespace {own.namespace} of context {kubectl.context}"
    if kind == "service":
        if (service := own.service(name)) is None:
            there = ", ".join(s["metadata"]["name"] for s in own.services) or "none"
            raise ValueError(f"no Service {name} in {where}: it has {there}")
        return "server", [_subject(own, service, None, None, None)]
    named = [d for d in own.deployments if d["metadata"]["name"] == name]
    if not named:
        there = ", ".join(d["metadata"]["name"] for d in own.deployments) or "none"
        raise ValueError(f"no Deployment {name} in {where}: it has {there}")
    (deployment,) = named
    template = deployment["spec"]["template"]
    labels = template.get("metadata", {}).get("labels") or {}
    chosen = [
        service
        for service in own.services
        if (selector := service["spec"].get("selector")) and selector.items() <= labels.items()
    ]
    states = {own.namespace: own}
    subjects: list[Subject] = []
    # It may name itself, and is no client of its own.
    seen = {(own.namespace, service["metadata"]["name"]) for service in chosen}
    for space, service_name, port in dialled(template, own.namespace):
        if (space, service_name) in seen:
            continue
        seen.add((space, service_name))
        if space not in states and kubectl.get("services", name=service_name, namespace=space):
            states[space] = read(kubectl, space)
        service = states[space].service(service_name) if space in states else None
        if service is not None:
            subjects.append(_subject(states[space], service, port, deployment, own))
    if subjects:
        return "client", subjects
    if not chosen:
        raise ValueError(
            f"Deployment {name} in {where}: no Service selects its pods, and its arguments and "
            "environment name none; give the Service that it calls: service/NAME"
        )
    return "server", [_subject(own, service, None, None, None) for service in chosen]


def _subject(
    state: State,
    service: Object,
    dialled_port: int | None,
    client: Object | None,
    client_state: State | None,
) -> Subject:
    spec, meta = service["spec"], service["metadata"]
    if spec.get("type") == "ExternalName" or not spec.get("selector") or not spec.get("ports"):
        raise ValueError(
            f"Service {meta['name']} has no pods of this cluster to select (type "
            f"{spec.get('type', 'ClusterIP')}): greetlab doctor dns:///NAME:PORT looks at such"
        )
    ports = spec["ports"]
    named = [p for p in ports if str(p.get("appProtocol") or p.get("name", "")).startswith("grpc")]
    dialled_ones = [port for port in ports if port["port"] == dialled_port]
    port = (dialled_ones or named or ports)[0]
    kind = "headless" if spec.get("clusterIP") == "None" else spec.get("type", "ClusterIP")
    seen = ServiceLook(f"{state.namespace}/{meta['name']}", kind, dialled_port or port["port"])
    seen.unknown += state.unknown
    _read_endpoints(seen, state.slices_of(service))
    pods = state.pods_of(spec["selector"])
    return Subject(seen, state, service, port, client, client_state, pods)


def _read_endpoints(seen: ServiceLook, slices: list[Object]) -> None:
    """By pods: one with two families is in two slices."""
    for each in slices:
        for endpoint in each.get("endpoints") or ():
            name = (endpoint.get("targetRef") or {}).get("name") or endpoint["addresses"][0]
            told = endpoint.get("conditions") or {}
            if told.get("terminating"):
                group = seen.terminating
            else:
                group = seen.ready if told.get("ready", True) else seen.not_ready
            if name not in group:
                group.append(name)


def _examine(
    kubectl: Kubectl, subject: Subject, served: Served | None, not_inside: str, timeout: float
) -> None:
    seen = subject.look
    if served is None:
        seen.unknown.append(not_inside)
    else:
        host = f"{subject.service['metadata']['name']}.{subject.state.namespace}.svc"
        try:
            seen.inside = look(served, f"dns:///{host}:{seen.port}", timeout)
        except (ServedError, ValueError) as error:
            seen.unknown.append(f"What there is from inside: {error}")
    ends = {
        f"{address}:{port['port']}"
        for each in subject.state.slices_of(subject.service)
        for endpoint in each.get("endpoints") or ()
        for address in endpoint["addresses"]
        for port in each.get("ports") or ()
    }
    ips = subject.service["spec"].get("clusterIPs") or ()
    ends |= {f"{ip}:{seen.port}" for ip in ips if ip != "None"}
    for pod in client_pods(subject):
        if started_at(pod) is None or "deletionTimestamp" in pod["metadata"]:
            continue
        try:
            seen.connections[pod["metadata"]["name"]] = connections(kubectl, pod, ends)
        except KubectlError as error:
            seen.unknown.append(f"The connections that your client has: {error}")
            break
