"""CoreDNS's own answers, on a real Kubernetes: the one whose context GREETLAB_CONTEXT names, and
whose DNS this machine reaches at the address that GREETLAB_DNS names ("10.96.0.10", or another
with ":port"). With --renew they are recorded (tests/coredns.json); else they have to be those.

It makes a namespace of its own, and deletes it.
"""

import json
import os
from importlib.metadata import version

import coredns
import pytest
from support import wait_until

import greetlab as gl
from greetlab.clusters.kube import namespace

CONTEXT = os.environ.get("GREETLAB_CONTEXT", "")
DNS, _, PORT = os.environ.get("GREETLAB_DNS", "").partition(":")
OURS = dict([namespace.OURS.split("=")])

pytestmark = pytest.mark.skipif(
    not (CONTEXT and DNS),
    reason="no Kubernetes and its DNS are named: GREETLAB_CONTEXT=... GREETLAB_DNS=... runs this",
)


@pytest.fixture(scope="module")
def kubectl():
    kubectl = gl.kube.Kubectl(CONTEXT)
    assert not namespace.is_there(kubectl, coredns.NAMESPACE)
    try:
        for thing in manifests():
            kubectl.create(thing)
        yield kubectl
    finally:
        namespace.delete(kubectl, coredns.NAMESPACE)


def manifests():
    yield {"kind": "Namespace", "apiVersion": "v1",
           "metadata": {"name": coredns.NAMESPACE, "labels": OURS}}  # fmt: skip
    yield never_ready()
    for name, service in coredns.SERVICES.items():
        yield from made(name, service)


def meta(name, **labels):
    return {"name": name, "namespace": coredns.NAMESPACE, "labels": OURS | labels}


def never_ready():
    """A pod that runs, and whose readiness gate nobody opens."""
    return {
        "kind": "Pod", "apiVersion": "v1", "metadata": meta("waiting", who="waiting"),
        "spec": {
            "readinessGates": [{"conditionType": "greetlab/never"}],
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "waiting", "image": os.environ.get("GREETLAB_IMAGE") or
                f"greetlab:{version('greetlab')}", "imagePullPolicy": "IfNotPresent",
                "command": ["greet-client", "--serve"], "stdin": True,
            }],
        },
    }  # fmt: skip


def made(name, service):
    """The Service, and its EndpointSlices, if no pod stands behind it."""
    if "external_name" in service:
        spec = {"type": "ExternalName", "externalName": service["external_name"]}
    else:
        spec = {"clusterIP": service.get("cluster_ip", "None"), "ports": [
            {"name": port, "port": own, "targetPort": target, "protocol": (*rest, "tcp")[0].upper()}
            for port, (own, target, *rest) in service["ports"].items()
        ]}  # fmt: skip
    if name.startswith("waiting"):
        spec["selector"] = {"who": "waiting"}
        spec["publishNotReadyAddresses"] = "published" in name
    yield {"kind": "Service", "apiVersion": "v1", "metadata": meta(name), "spec": spec}
    if not name.startswith("waiting"):
        yield from slices(name, service)


def slices(name, service):
    everybody = service.get("endpoints", ())
    for n in range(0, len(everybody), 100):
        part = everybody[n : n + 100]
        labels = {"kubernetes.io/service-name": name,
                  "endpointslice.kubernetes.io/managed-by": "greetlab"}  # fmt: skip
        yield {
            "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
            "metadata": meta(f"{name}-{n}", **labels),
            "addressType": "IPv6" if ":" in part[0][1] else "IPv4",
            "ports": [
                {"name": port, "port": target, "protocol": (*rest, "tcp")[0].upper()}
                for port, (_, target, *rest) in service["ports"].items()
            ],
            "endpoints": [
                {"addresses": [ip], "conditions": {"ready": (*ready, True)[0]},
                 **({"hostname": hostname} if hostname else {})}
                for hostname, ip, *ready in part
            ],
        }  # fmt: skip


def test_coredns_says_what_the_table_has(kubectl, request):
    def pod():
        (found,) = kubectl.get("pods", name="waiting", namespace=coredns.NAMESPACE)
        return found

    wait_until(lambda: pod()["status"].get("podIP"), timeout=60)
    real, told = (reversible(ip) for ip in (pod()["status"]["podIP"], coredns.POD_IP))

    def ask(question):
        def asked(name):
            return renamed(name, told, real)

        answer = coredns.ask(DNS, int(PORT or 53), question, asked)
        return json.loads(renamed(json.dumps(answer), real, told))

    *_, last = coredns.SERVICES
    there = coredns.Question(f"{last}.{coredns.SVC}.", "A")
    wait_until(lambda: ask(there)["rcode"] == "NOERROR", timeout=60)
    answers = {question: ask(question) for question in coredns.QUESTIONS}
    if request.config.getoption("renew"):
        coredns.save(about(kubectl), answers)
    recorded = coredns.load()["answers"]
    different = {
        str(question): (answer, recorded.get(str(question)))
        for question, answer in answers.items()
        if recorded.get(str(question)) != answer
    }
    assert different == {}
    assert len(recorded) == len(answers)


def reversible(ip):
    """As it stands in records, in a pod's name, and in a reverse name."""
    return ip, ip.replace(".", "-"), ".".join(reversed(ip.split(".")))


def renamed(text, before, after):
    for old, new in zip(before, after, strict=True):
        text = text.replace(old, new)
    return text


def about(kubectl):
    (deployment,) = kubectl.get("deployments.apps", name="coredns", namespace="kube-system")
    (config,) = kubectl.get("configmaps", name="coredns", namespace="kube-system")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {
        "kubernetes": kubectl.version()["gitVersion"],
        "coredns": container["image"].rpartition(":")[2],
        "corefile": config["data"]["Corefile"].split("\n"),
    }
