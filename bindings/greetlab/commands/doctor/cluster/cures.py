"""What to do about it: patches that the server has validated, and nobody has applied."""

from __future__ import annotations

import json
import shlex
from typing import Any

from greetlab.clusters.kube.kubectl import Kubectl, KubectlError, Object
from greetlab.commands.doctor.cluster.findings import SIDECARS, Subject, blocking
from greetlab.commands.doctor.cluster.report import Cure


def prescribe(kubectl: Kubectl, subject: Subject) -> None:
    """Fills in the cures of what was found."""
    bad = {f.subject for f in subject.look.findings if f.level != "good"}
    look, name = subject.look, subject.service["metadata"]["name"]
    writer = _Writer(kubectl, subject)
    if look.sticky and look.kind != "headless":
        writer.headless()
    if "affinity" in bad and look.kind != "headless":
        writer.patch(
            "No session affinity", f"service/{name}", {"spec": {"sessionAffinity": "None"}}
        )
    if "targetPort" in bad:
        writer.target_port()
    if "appProtocol" in bad:
        ports = [{"port": subject.port["port"], "appProtocol": "grpc"}]
        writer.patch("The port speaks gRPC", f"service/{name}", {"spec": {"ports": ports}})
    if "policy" in bad:
        writer.policy()
    if {"readiness", "preStop", "grace"} & bad:
        writer.rolling(bad)


class _Writer:
    def __init__(self, kubectl: Kubectl, subject: Subject) -> None:
        self.kubectl, self.subject = kubectl, subject
        self.space = subject.state.namespace

    def patch(
        self, title: str, thing: str, patch: Any, kind: str = "strategic", space: str = ""
    ) -> None:
        text, space = json.dumps(patch), space or self.space
        words = ["patch", thing, "--namespace", space]
        words += ["--type", kind] if kind != "strategic" else []
        command = self._command(*words, "--patch", text)
        refused = ""
        try:
            self.kubectl.try_patch(thing, text, space, kind)
        except KubectlError as error:
            refused = error.detail
        self.subject.look.cures.append(Cure(title, command, refused))

    def create(self, title: str, thing: Object) -> None:
        command = self._command("create", "--filename", "-")
        command += f" <<'EOF'\n{json.dumps(thing, indent=2)}\nEOF"
        refused = ""
        try:
            self.kubectl.try_create(thing)
        except KubectlError as error:
            refused = error.detail
        self.subject.look.cures.append(Cure(title, command, refused))

    def headless(self) -> None:
        """A clusterIP cannot be taken away (kubernetes.io, "Service"), so it is a second one."""
        service, state, port = self.subject.service, self.subject.state, self.subject.target_port
        selector = service["spec"].get("selector")
        if port is None or not selector:
            return
        for other in state.services:
            spec = other["spec"]
            if spec.get("clusterIP") == "None" and spec.get("selector") == selector:
                host = f"{other['metadata']['name']}.{self.space}.svc.cluster.local"
                self.subject.look.unknown.append(
                    f"Whether {other['metadata']['name']}, which is there and headless, is dialled "
                    f"by your clients: let it be dns:///{host}:{port}, with round_robin."
                )
                return
        taken = {other["metadata"]["name"] for other in state.services}
        name = f"{service['metadata']['name'][:54]}-headless"
        while name in taken:
            name = f"{name[:62]}2"
        made = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": self.space},
            "spec": {
                "clusterIP": "None",
                "selector": selector,
                "ports": [{"name": "grpc", "port": port}],
            },
        }
        target = f"dns:///{name}.{self.space}.svc.cluster.local:{port}"
        self.create(f"A headless Service beside it; clients dial {target}, with round_robin", made)

    def target_port(self) -> None:
        declared = {
            port["containerPort"]
            for pod in self.subject.pods
            for container in pod["spec"]["containers"]
            if container["name"] not in SIDECARS
            for port in container.get("ports") or ()
            if not port.get("name", "").startswith(("metrics", "http-metrics"))
        }
        if len(declared) != 1:  # which of them, nobody here knows
            return
        (number,) = declared
        name, port = self.subject.service["metadata"]["name"], self.subject.port["port"]
        changed: dict[str, Any] = {"port": port, "targetPort": number}
        if self.subject.target_port == number:  # headless: the port is what clients must dial
            return
        self.patch(
            f"targetPort {number}, which the containers declare",
            f"service/{name}",
            {"spec": {"ports": [changed]}},
        )

    def policy(self) -> None:
        """One more rule of a policy that isolates, for exactly these pods and this port."""
        subject, found = self.subject, blocking(self.subject)
        if found is None or subject.client is None or subject.client_state is None:
            return
        way, names = found
        server = subject.service["spec"].get("selector") or {}
        client = subject.client["spec"]["selector"].get("matchLabels") or {}
        isolated, peer = (subject.state, subject.client_state), (server, client)
        if way == "Egress":
            isolated = isolated[::-1]
            peer = peer[::-1]
        who: Object = {"podSelector": {"matchLabels": peer[1]}}
        if isolated[0].namespace != isolated[1].namespace:
            there = {"kubernetes.io/metadata.name": isolated[1].namespace}
            who["namespaceSelector"] = {"matchLabels": there}
        key, side = ("ingress", "from") if way == "Ingress" else ("egress", "to")
        ports = [{"port": subject.target_port, "protocol": "TCP"}]
        rule = {side: [who], "ports": ports}
        # One that selects just these pods is opened, not one that is for all of a namespace.
        policies = [p for p in isolated[0].policies if p["metadata"]["name"] in names]
        policy = max(policies, key=lambda p: len(p["spec"].get("podSelector") or {}))
        listed = bool(policy["spec"].get(key))
        patch = {"op": "add", "path": f"/spec/{key}/-" if listed else f"/spec/{key}",
                 "value": rule if listed else [rule]}  # fmt: skip
        name = policy["metadata"]["name"]
        self.patch(f"A rule for these calls in NetworkPolicy {name}", f"networkpolicy/{name}",
                   [patch], "json", isolated[0].namespace)  # fmt: skip

    def rolling(self, bad: set[str]) -> None:
        deployment = self.subject.deployment
        if deployment is None:
            return
        pod = deployment["spec"]["template"]["spec"]
        container = next(c for c in pod["containers"] if c["name"] not in SIDECARS)
        change: Object = {"name": container["name"]}
        spec: Object = {}
        if "readiness" in bad and self.subject.target_port is not None:
            change["readinessProbe"] = {"grpc": {"port": self.subject.target_port}}
        if "preStop" in bad:
            change["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
        if "grace" in bad:
            hook = (container.get("lifecycle") or {}).get("preStop") or {}
            slept = (hook.get("sleep") or {}).get("seconds", 5)
            spec["terminationGracePeriodSeconds"] = slept + 15
        if len(change) > 1:
            spec["containers"] = [change]
        if not spec:
            return
        name = deployment["metadata"]["name"]
        title = "A rollout without a lost call"
        if "readinessProbe" in change:
            title += " (your server must have grpc.health.v1)"
        self.patch(title, f"deployment/{name}", {"spec": {"template": {"spec": spec}}})

    def _command(self, *words: str) -> str:
        return f"kubectl --context {shlex.quote(self.kubectl.context)} {shlex.join(words)}"
