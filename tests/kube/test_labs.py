"""The labs' checks on a real Kubernetes: the one whose context GREETLAB_CONTEXT names. The labs'
namespace must be free there, so that nobody's work is lost, and it is free again afterwards. Each
state is made as the guide makes it. Set-up as lab 0 has it; some minutes.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from greetlab.clusters.kube import NAMESPACE, Kubectl, namespace
from greetlab.lessons.labs import judge

CONTEXT = os.environ.get("GREETLAB_CONTEXT", "")
LABS = Path(__file__).parents[2] / "labs"
SERVER, GATEWAY = "greetserver", "greetgateway"
AGE = 11
"""Seconds: connection-age's 10, and its tenth."""

pytestmark = [
    pytest.mark.skipif(
        not CONTEXT, reason="no Kubernetes is named: GREETLAB_CONTEXT=... runs this"
    ),
    pytest.mark.timeout(300),  # several rollouts, at the cluster's pace
]


@pytest.fixture
def kubectl():
    there = Kubectl(CONTEXT)
    if namespace.is_there(there):
        pytest.fail(f"the namespace {NAMESPACE} of {CONTEXT} is in use: greetlab clean frees it")
    yield there
    namespace.delete(there)
    assert there.get("namespaces", name=NAMESPACE) == []


def run(kubectl, *arguments):
    subprocess.run(kubectl.command(*arguments), check=True, capture_output=True, timeout=120)


def apply(kubectl, folder):
    run(kubectl, "apply", "-k", str(LABS / folder))
    for deployment in (SERVER, GATEWAY):
        settle(kubectl, deployment)


def settle(kubectl, deployment):
    """The rollout is done, and of those that it replaced none is left."""
    assert kubectl.wait_rollout(deployment, NAMESPACE, 90)
    (wanted,) = kubectl.get("deployments.apps", namespace=NAMESPACE, name=deployment)
    name = f"app.kubernetes.io/name={deployment}"
    until(
        lambda: (
            len(kubectl.get("pods", namespace=NAMESPACE, selector=name))
            == wanted["spec"]["replicas"]
        ),
        60,
    )


def restart(kubectl, deployment):
    run(kubectl, "rollout", "restart", f"deployment/{deployment}", "--namespace", NAMESPACE)
    settle(kubectl, deployment)


def scale(kubectl, replicas):
    kubectl.scale(SERVER, replicas, NAMESPACE)
    settle(kubectl, SERVER)


def until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.5)


def says(number, status, words):
    found = judge(number, CONTEXT).verdict
    print(found)
    assert found.status == status, found
    assert words in found.sentence, found


def test_lab_1(kubectl):
    says(1, "fail", "there is no namespace greetlab")
    apply(kubectl, "01_sticky_to_round_robin/start")
    says(1, "fail", "that your gateway dials, greetserver, still has a clusterIP: 10.")
    apply(kubectl, "01_sticky_to_round_robin/solution")
    until(lambda: judge(1, CONTEXT).verdict.ok, 3 * AGE)


def test_lab_2(kubectl):
    apply(kubectl, "02_more_pods_fewer_pods/start")
    restart(kubectl, GATEWAY)
    says(2, "fail", "asks for 3 pods, and this lab is about 5")
    scale(kubectl, 5)
    says(2, "fail", "became ready when the gateway was running already")
    restart(kubectl, GATEWAY)
    says(2, "fail", "each pod answers now, because the gateway has looked since the last came")
    apply(kubectl, "02_more_pods_fewer_pods/solution")
    until(lambda: judge(2, CONTEXT).verdict.ok, 3 * AGE)
    scale(kubectl, 2)
    says(2, "fail", "asks for 2 pods")
    scale(kubectl, 5)
    until(lambda: judge(2, CONTEXT).verdict.ok, 3 * AGE)


PROXY = "greetproxy"
ENVOY = "docker.io/envoyproxy/envoy"


def changed(tmp_path, lab, folder, file, change):
    """A copy of a lab's folder in which one file is another one: what `kubectl apply -k` takes."""
    shutil.copytree(LABS / lab, tmp_path / "labs" / lab, dirs_exist_ok=True)
    shutil.copytree(LABS.parent / "k8s", tmp_path / "k8s", dirs_exist_ok=True)
    copy = tmp_path / "labs" / lab / folder
    old = (copy / file).read_text()
    new = change(old)
    assert new != old
    (copy / file).write_text(new)
    return copy


def test_lab_5(kubectl, tmp_path):
    lab = "05_a_proxy_that_balances_requests"
    images = [i for node in kubectl.get("nodes") for i in node["status"]["images"]]
    if not any(name.startswith(f"{ENVOY}:") for image in images for name in image["names"] or ()):
        pytest.skip(f"no node has the image {ENVOY}, and this waits for no registry")
    apply(kubectl, f"{lab}/start")
    settle(kubectl, PROXY)
    says(5, "fail", "behind which are the pods of greetserver themselves")

    def state(file, old, new):
        folder = changed(tmp_path, lab, "solution", file, lambda text: text.replace(old, new))
        apply(kubectl, folder)
        settle(kubectl, PROXY)
        (tmp_path / "labs" / lab / "solution" / file).write_text(
            (LABS / lab / "solution" / file).read_text()
        )

    options = "            http2_protocol_options: {}"
    state("envoy.yaml", options, "            http_protocol_options: {}")
    says(5, "fail", "speaks HTTP/1.1 to the pods")
    state("envoy.yaml", "greetserver-headless", "greetserver")
    says(5, "fail", "which is the Service greetserver and no pod")
    state("envoy.yaml", "STRICT_DNS", "LOGICAL_DNS")
    says(5, "fail", "is LOGICAL_DNS")
    state("envoy.yaml", "greetserver-headless", "greetservers")
    says(5, "fail", "up in vain")
    apply(kubectl, f"{lab}/solution")
    settle(kubectl, PROXY)
    until(lambda: judge(5, CONTEXT).verdict.ok, 20)  # Envoy looks every 5 s
    scale(kubectl, 5)
    until(lambda: judge(5, CONTEXT).verdict.ok, 20)


def test_lab_6(kubectl, tmp_path):
    lab = "06_tls_with_a_headless_service"
    apply(kubectl, f"{lab}/start")
    says(6, "fail", "they have no certificate")
    shutil.copytree(LABS.parent / "k8s", tmp_path / "k8s")
    shutil.copytree(LABS / lab, tmp_path / "labs" / lab)
    solution = tmp_path / "labs" / lab / "solution"
    kustomization = solution / "kustomization.yaml"
    both = kustomization.read_text()
    name = "DNS:greetserver-headless.greetlab.svc.cluster.local"

    def certificate(*lines):
        script = "\n".join(["set -e", ". ../authority.sh", *lines])
        subprocess.run(["sh", "-c", script], cwd=solution, check=True, capture_output=True)
        run(kubectl, "apply", "-k", str(solution))
        settle(kubectl, SERVER)

    kustomization.write_text(both.replace("  - ../tls/gateway\n", ""))
    certificate("authority", f"certificate {name}")
    says(6, "fail", "the gateway speaks plaintext to them")
    kustomization.write_text(both)
    certificate(f"certificate {name.replace('-headless', '')}")
    says(6, "fail", "that is another Service")
    certificate("certificate DNS:greetserver-7fcdc95884-l7vmj,IP:10.244.0.4")
    says(6, "fail", "pods' own names and addresses")
    certificate(f"certificate {name} 0")
    says(6, "fail", "has expired")
    certificate("cp ca.crt old", "authority", f"certificate {name}", "cp old ca.crt")
    says(6, "fail", "with another key, whom the gateway does not trust")
    certificate("../solution/certificate.sh")
    settle(kubectl, GATEWAY)
    until(lambda: judge(6, CONTEXT).verdict.ok, 3 * AGE)
