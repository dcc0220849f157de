"""`greetlab doctor deployment/NAME` on a real Kubernetes: the one whose context GREETLAB_CONTEXT
names. In a namespace of its own, which must be free there and is again afterwards.
"""

import json
import os
import subprocess
import time

import pytest
from kube_world import LAB_1, built, find

from greetlab.clusters.kube import Kubectl, namespace
from greetlab.commands.doctor.cluster import examine_cluster

CONTEXT = os.environ.get("GREETLAB_CONTEXT", "")
SPACE = "greetlab-doctor"
GATEWAY, SERVER = "deployment/greetgateway", "service/greetserver"

pytestmark = [
    pytest.mark.skipif(
        not CONTEXT, reason="no Kubernetes is named: GREETLAB_CONTEXT=... runs this"
    ),
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def kubectl():
    there = Kubectl(CONTEXT)
    if namespace.is_there(there, SPACE):
        pytest.fail(f"the namespace {SPACE} of {CONTEXT} is in use")
    yield there
    namespace.delete(there, SPACE)


def apply(kubectl, things):
    """In this namespace, and done: as the lab's manifests, which name theirs."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": things})
    for old, new in (
        ('"namespace": "greetlab"', f'"namespace": "{SPACE}"'),
        ('"name": "greetlab"', f'"name": "{SPACE}"'),
        (".greetlab.svc", f".{SPACE}.svc"),
    ):
        text = text.replace(old, new)
    command = kubectl.command("apply", "--filename=-")
    done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for deployment in ("greetserver", "greetgateway"):
        assert kubectl.wait_rollout(deployment, SPACE, 90)


def look(target=GATEWAY):
    report = examine_cluster(target, CONTEXT, SPACE)
    (found,) = report.services
    assert not [cure.refused for cure in found.cures if cure.refused]
    return found


def saw(found, subject):
    return [f.saw for f in found.findings if f.subject == subject and f.level != "good"]


@pytest.fixture
def lab(kubectl):
    """Lab 1's beginning, and the doctor leaves nothing of its own behind."""
    things = built(LAB_1 / "start")
    apply(kubectl, things)
    yield things
    ours = "app.kubernetes.io/name=greetlab-doctor"
    assert kubectl.get("jobs.batch", "pods", namespace=SPACE, selector=ours) == []


def test_sticky_over_a_cluster_ip_and_its_cure(kubectl, lab):
    found = look()
    assert found.sticky, found
    assert len(found.ready) == 3
    assert found.inside.addresses == [f"{cluster_ip(kubectl)}:80"]
    assert found.inside.failed == {}
    assert any("has no cat" in sentence for sentence in found.unknown)
    (cure,) = [c for c in found.cures if "headless" in c.title]
    assert kubectl.get("services", namespace=SPACE, name="greetserver-headless") == []  # not done
    done = subprocess.run(["sh", "-c", cure.command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr  # as printed, it works
    headless = look("service/greetserver-headless")
    assert headless.kind == "headless"
    assert len(headless.inside.addresses) == 3
    assert headless.inside.failed == {}
    kubectl.delete("service", ["greetserver-headless", f"--namespace={SPACE}"])


def test_the_solution_is_not_sticky(kubectl, lab):
    apply(kubectl, built(LAB_1 / "solution"))
    found = look()
    assert found.sticky is False, found
    assert len(found.inside.addresses) == 3


def test_a_target_port_where_nobody_listens_and_affinity(kubectl, lab):
    spec = find(lab, "Service", "greetserver")["spec"]
    spec["ports"][0]["targetPort"] = 9999
    spec["sessionAffinity"] = "ClientIP"
    apply(kubectl, lab)
    until(lambda: slice_ports(kubectl) == {9999})
    found = look()
    assert any("nobody listens on 9999" in said for said in saw(found, "targetPort")), found
    assert saw(found, "affinity")
    assert any('"targetPort": 50051' in cure.command for cure in found.cures)
    kubectl.patch("service/greetserver", {"spec": {"sessionAffinity": "None"}}, SPACE)


def test_a_policy_that_lets_nobody_in(kubectl, lab):
    find(lab, "NetworkPolicy", "greetserver")["spec"]["ingress"] = []
    apply(kubectl, lab)
    found = look()
    assert any("does not let the client's calls into" in said for said in saw(found, "policy"))
    assert any("networkpolicy/greetserver" in cure.command for cure in found.cures)


def test_a_pod_on_its_way_out(kubectl, lab):
    pods = kubectl.get("pods", namespace=SPACE, selector="app.kubernetes.io/name=greetserver")
    (first, *_) = [p for p in pods if "deletionTimestamp" not in p["metadata"]]
    name = first["metadata"]["name"]
    kubectl.delete("pod", [name, f"--namespace={SPACE}"])  # 5 s of preStop, while it is seen
    until(lambda: terminating(kubectl))
    found = look(SERVER)
    assert any(name in said for said in saw(found, "terminating")), found


def test_a_sidecar_beside_the_client(kubectl, lab):
    pod = find(lab, "Deployment", "greetgateway")["spec"]["template"]["spec"]
    like = pod["containers"][0]
    pod["containers"].append(
        {
            "name": "linkerd-proxy", "image": like["image"], "command": ["greet-client"],
            "args": ["--serve"], "stdin": True, "securityContext": like["securityContext"],
        }
    )  # fmt: skip
    apply(kubectl, lab)
    found = look()
    assert found.sticky is False, found
    assert "Linkerd's sidecar" in found.verdict


def cluster_ip(kubectl):
    (service,) = kubectl.get("services", namespace=SPACE, name="greetserver")
    return service["spec"]["clusterIP"]


def slices(kubectl):
    chosen = "kubernetes.io/service-name=greetserver"
    return kubectl.get("endpointslices.discovery.k8s.io", namespace=SPACE, selector=chosen)


def slice_ports(kubectl):
    return {port["port"] for each in slices(kubectl) for port in each["ports"]}


def terminating(kubectl):
    return any(
        endpoint["conditions"].get("terminating")
        for each in slices(kubectl)
        for endpoint in each["endpoints"]
    )


def until(seen, seconds=30):
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.1)
