"""What the gateway was told: its environment, which its flags override."""

from __future__ import annotations

import re
from dataclasses import dataclass

from greetlab.channels.policies import POLICIES
from greetlab.clusters.kube.kubectl import Object
from greetlab.clusters.kube.namespace import NAMESPACE
from greetlab.lessons.exercises.exercise import CannotLook
from greetlab.lessons.labs.lab import Wrong

DEFAULT_PORT = "50051"
DEFAULT_POLICY = POLICIES[0]
_FLAGS = {
    "--service": "GRPC_SVC",
    "--namespace": "POD_NAMESPACE",
    "--server-host": "GRPC_SERVER_HOST",
    "--server-port": "GRPC_SERVER_PORT",
    "--policy": "GRPC_POLICY",
    "--target": "GRPC_TARGET",
    "--ca": "GRPC_CA",
    "--server-name": "GRPC_SERVER_NAME",
}
_SWITCHES = {"--tls": "GRPC_TLS"}
"""Flags without a value."""
_TARGET = re.compile(r"dns:///(?P<host>[^:/]+):(?P<port>[0-9]+)")


@dataclass(frozen=True)
class Gateway:
    """Where it dials, and how it shares.

    host: the name that it looks up. told_by: the variable that names it. port, policy: as given.
    set_policy: whether somebody set it.
    """

    host: str
    told_by: str
    port: str
    policy: str
    set_policy: bool

    @property
    def service(self) -> str:
        """The Service of our namespace that the host names.

        Raises Wrong for a host that names none.
        """
        labels = self.host.rstrip(".").lower().split(".")
        if all(label.isdigit() for label in labels):
            raise Wrong(f"{self.told_by} is {self.host}, an address and not a Service's name.")
        service, *rest = labels
        full = [NAMESPACE, "svc", "cluster", "local"]
        if rest != full[: len(rest)]:
            raise Wrong(
                f"the gateway dials {self.host}, which is no Service of the namespace {NAMESPACE}."
            )
        return service


def read(deployment: Object) -> Gateway:
    """What the gateway's Deployment tells it.

    Raises Wrong if that is not enough, CannotLook if it comes from where this does not look.
    """
    told = variables(deployment)
    policy, set_policy = told.get("GRPC_POLICY") or DEFAULT_POLICY, bool(told.get("GRPC_POLICY"))
    host, told_by, port = _dialled(told)
    return Gateway(host, told_by, port, policy, set_policy)


def variables(deployment: Object) -> dict[str, str]:
    """The gateway's variables, and its flags by the names of the variables that they override.

    Raises CannotLook if it comes from where this does not look.
    """
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return dict(_variables(container)) | dict(_flags(container))


def _dialled(told: dict[str, str]) -> tuple[str, str, str]:
    """The name, the variable that it is from, and the port."""
    port = told.get("GRPC_SERVER_PORT") or DEFAULT_PORT
    if target := told.get("GRPC_TARGET"):
        found = _TARGET.fullmatch(target)
        if found is None:
            raise CannotLook(f"the gateway's target is {target}, and no dns:///NAME:PORT.")
        return found["host"], "GRPC_TARGET", found["port"]
    if service := told.get("GRPC_SVC"):
        if not (namespace := told.get("POD_NAMESPACE")):
            raise Wrong(
                "GRPC_SVC is set and POD_NAMESPACE is not, so the gateway looks for the Service in "
                "the namespace default."
            )
        return f"{service}.{namespace}.svc.cluster.local", "GRPC_SVC", port
    if host := told.get("GRPC_SERVER_HOST"):
        return host, "GRPC_SERVER_HOST", port
    raise Wrong("the gateway's environment names no Service: neither by GRPC_SVC nor by host.")


def _variables(container: Object) -> list[tuple[str, str]]:
    if container.get("envFrom"):
        raise CannotLook("the gateway's environment comes from a ConfigMap or a Secret (envFrom).")
    found = []
    for entry in container.get("env") or ():
        name, source = entry["name"], entry.get("valueFrom")
        if source is None:
            found.append((name, entry.get("value", "")))
        elif source.get("fieldRef", {}).get("fieldPath") == "metadata.namespace":
            found.append((name, NAMESPACE))
        elif name in (*_FLAGS.values(), *_SWITCHES.values()):
            raise CannotLook(f"the gateway's {name} comes from {', '.join(source)}.")
    return found


def _flags(container: Object) -> list[tuple[str, str]]:
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    found = []
    for word, after in zip(words, [*words[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if flag in _FLAGS:
            found.append((_FLAGS[flag], value if equals else after))
        elif flag in _SWITCHES:
            found.append((_SWITCHES[flag], value if equals else "true"))
    return found
