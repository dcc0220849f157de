"""A cluster that does not exist: what kubectl would print of it, made from real manifests.

`built` has the manifests of a folder, `settled` adds what a cluster adds to them (pods, addresses,
EndpointSlices), with the statuses that were recorded in kube_states/. So a state stays true when
the manifests change.
"""

import copy
import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import fake_kubectl
import yaml
from typer.testing import CliRunner

from greetlab.commands.cli import app

ROOT = Path(__file__).parent.parent
RECORDED = Path(__file__).parent / "kube_states"
LAB_1 = ROOT / "labs" / "01_sticky_to_round_robin"
LAB_2 = ROOT / "labs" / "02_more_pods_fewer_pods"
LAB_3 = ROOT / "labs" / "03_a_rollout_without_a_lost_call"
LAB_4 = ROOT / "labs" / "04_pods_that_die_and_fall_silent"
LAB_5 = ROOT / "labs" / "05_a_proxy_that_balances_requests"
LAB_6 = ROOT / "labs" / "06_tls_with_a_headless_service"
PODS = ("2b7kx", "9xq4d", "m6zrt", "w8c5n", "j3f7h")
NAMESPACED = {"namespace": "greetlab"}


def recorded(name):
    return json.loads((RECORDED / f"{name}.json").read_text())


@cache
def _build(folder):
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [kubectl if kubectl.exists() else "kubectl", "kustomize", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return list(yaml.safe_load_all(done.stdout))


def built(folder):
    """The manifests of a kustomization, yours to change."""
    return copy.deepcopy(_build(folder))


def find(objects, kind, name):
    (found,) = [t for t in objects if t["kind"] == kind and t["metadata"]["name"] == name]
    return found


def env(objects, **values):
    """Sets the gateway's variables; None takes one away."""
    pod = find(objects, "Deployment", "greetgateway")["spec"]["template"]["spec"]
    old = [entry for entry in pod["containers"][0]["env"] if entry["name"] not in values]
    new = [{"name": name, "value": v} for name, v in values.items() if v is not None]
    pod["containers"][0]["env"] = old + new


def settled(objects, **statuses):
    """The objects, and what a cluster makes of them.

    statuses: what was recorded of the pods of a Deployment: greetgateway="crash_loop".
    """
    things = copy.deepcopy(objects)
    pods = [
        pod
        for number, deployment in enumerate(t for t in things if t["kind"] == "Deployment")
        for pod in _run(deployment, number, statuses.get(deployment["metadata"]["name"], "ready"))
    ]
    services = [thing for thing in things if thing["kind"] == "Service"]
    for number, service in enumerate(services):
        address = service["spec"].setdefault("clusterIP", f"10.96.{number}.7")
        service["spec"].setdefault("clusterIPs", [address])
        service["spec"].setdefault("type", "ClusterIP")
    slices = [_slice(service, pods) for service in services if service["spec"].get("selector")]
    return [*things, *pods, *slices]


def _run(deployment, number, status):
    spec, meta = deployment["spec"], deployment["metadata"]
    meta["generation"] = 1
    wanted = spec.get("replicas", 1)
    ready = wanted if status == "ready" else 0
    deployment["status"] = {
        "observedGeneration": 1, "replicas": wanted, "updatedReplicas": wanted,
        "readyReplicas": ready, "availableReplicas": ready,
    }  # fmt: skip
    for index in range(wanted):
        labels = spec["template"]["metadata"]["labels"] | {"pod-template-hash": "5d9c7b8f6d"}
        ip = {"podIP": f"10.244.{number}.{index + 4}"} if status != "unschedulable" else {}
        yield {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": f"{meta['name']}-5d9c7b8f6d-{PODS[index]}", "labels": labels, **NAMESPACED,
            },
            "spec": spec["template"]["spec"],
            "status": recorded(status) | ip,
        }  # fmt: skip


def _slice(service, pods):
    chosen = [
        pod
        for pod in pods
        if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        and "podIP" in pod["status"]
    ]
    open_ports = {
        entry["name"]: entry["containerPort"]
        for pod in chosen
        for container in pod["spec"]["containers"]
        for entry in container.get("ports", ())
    }
    ports = []
    for port in service["spec"]["ports"]:
        target = port.get("targetPort", port["port"])
        number = target if isinstance(target, int) else open_ports.get(target)
        if number is not None:  # a name that no pod has makes no port
            ports.append({"name": port.get("name", ""), "port": number, "protocol": "TCP"})
    name = service["metadata"]["name"]
    always = service["spec"].get("publishNotReadyAddresses", False)
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": f"{name}-x9k2l", "labels": {"kubernetes.io/service-name": name}, **NAMESPACED,
        },
        "endpoints": [
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": always or _ready(pod), "serving": _ready(pod)},
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], **NAMESPACED},
            }
            for pod in chosen
        ],
        "ports": ports or None,
    }  # fmt: skip


def _ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])


def servers(objects):
    return [
        thing["metadata"]["name"]
        for thing in objects
        if thing["kind"] == "Pod" and thing["metadata"]["name"].startswith("greetserver")
    ]


def greeting(pod):
    """What the gateway answers to kubectl, which accepts JSON."""
    text = f"Hello, Ada Lovelace from pod: name({pod}), ip(10.244.0.4)."
    return json.dumps({"Result": text, "podName": pod, "podIp": "10.244.0.4"})


class FakeKubectl:
    """The scripted kubectl in a folder of its own, which is to stand first on PATH."""

    def __init__(self, folder):
        self.folder = folder
        program = folder / "kubectl"
        # Not by the first line itself, which takes no path with a space in it.
        script = shlex.quote(str(program.with_suffix(".py")))
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -IS {script} "$@"\n')
        program.with_suffix(".py").write_text(Path(fake_kubectl.__file__).read_text())
        program.chmod(0o755)
        (folder / "state.json").write_text("{}")
        self.set(
            contexts=["work-production", "lab"], current="work-production", objects=[],
            greetings=[], version={"major": "1", "minor": "31", "gitVersion": "v1.31.0"},
        )  # fmt: skip

    def execute(self, command, stdin, timeout):
        """The same answers without a process, and so in no time."""
        try:
            said, status, error = fake_kubectl.answer(self.folder, command[1:], stdin), 0, ""
        except fake_kubectl.FailedError as failed:
            said, status, error = "", 1, f"{failed}\n"
        return subprocess.CompletedProcess(command, status, said, error)

    def set(self, **state):
        file = self.folder / "state.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | state))

    def deploy(self, objects, greetings=None, **statuses):
        """The objects are there; greetings: the answers, in turn; None: the servers take turns."""
        things = settled(objects, **statuses)
        answers = [greeting(pod) for pod in servers(things)] if greetings is None else greetings
        self.set(objects=things, greetings=answers)

    @property
    def state(self):
        return json.loads((self.folder / "state.json").read_text())

    @property
    def objects(self):
        return self.state["objects"]

    @property
    def asked(self):
        file = self.folder / "asked.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def verbs(self):
        return [asked["words"][0] for asked in self.asked]


# What the labs' guides print is what the commands print.


def checks_in(readme):
    """The blocks that a README shows of `greetlab check`, names of pods and addresses aside."""
    text = (LAB_1.parent / readme / "README.md").read_text()
    blocks = [block.removeprefix("\n") for block in text.split("```")[1::2]]
    return [plain(block) for block in blocks if re.search("^[✔✘] ", block, re.MULTILINE)]


def printed_check(number):
    return plain(CliRunner().invoke(app, ["check", str(number), "--context", "greetlab"]).stdout)


def plain(text):
    text = re.sub(r"-[0-9a-f]{10}-[0-9a-z]{5}", "-POD", re.sub(r"v1\.\d+\.\d+", "VERSION", text))
    return re.sub(r"\d+\.\d+\.\d+\.\d+", "ADDRESS", text)
