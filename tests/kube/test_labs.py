"""The labs' checks on a real Kubernetes: the one whose context GREETLAB_CONTEXT names. The labs'
namespace must be free there, so that nobody's work is lost, and it is free again afterwards. Each
state is made as the guide makes it. Set-up as lab 0 has it; some minutes.

Lab 4's pods die and fall silent by root's hand on their node. GREETLAB_NODE is the command that
takes another one there: "minikube --profile greetlab ssh -- sudo".
"""

import json
import os
import shlex
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from greetlab.clusters.kube import NAMESPACE, Kubectl, namespace
from greetlab.lessons.labs import judge

CONTEXT = os.environ.get("GREETLAB_CONTEXT", "")
NODE = shlex.split(os.environ.get("GREETLAB_NODE", ""))
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


def apply(kubectl, folder, deployments=(SERVER, GATEWAY)):
    run(kubectl, "apply", "-k", str(LABS / folder))
    for deployment in deployments:
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


def change(kubectl, container, pod=None, **spec):
    """Changes the servers' Deployment: of its container, of its pods, and of itself."""
    template = {"spec": {**(pod or {}), "containers": [{"name": SERVER, **container}]}}
    patch = {"spec": {"template": template, **spec}}
    kubectl.patch(f"deployment/{SERVER}", patch, NAMESPACE)
    settle(kubectl, SERVER)


def call(kubectl, folder):
    """The lab's client, anew; comes back when it calls."""
    run(kubectl, "replace", "--force", "-k", str(LABS / folder))
    until(lambda: job(kubectl)["status"].get("ready"), 60)


def call_with(kubectl, folder, **flags):
    """The lab's client, anew, with other flags; None: without it. It makes one call only."""
    command = kubectl.command("kustomize", str(LABS / folder))
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    manifest = yaml.safe_load(done.stdout)
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    for name, value in {"count": 1, **flags}.items():
        flag = f"--{name.replace('_', '-')}"
        kept = [word for word in container["args"] if not word.startswith(f"{flag}=")]
        container["args"] = [*kept, *([] if value is None else [f"{flag}={value}"])]
    kubectl.delete("jobs.batch", ["greetclient", f"--namespace={NAMESPACE}"], wait=60)
    kubectl.create(manifest)
    called(kubectl)


def called(kubectl):
    """It has ended."""
    kinds = ("Complete", "Failed")
    until(
        lambda: any(c["type"] in kinds for c in job(kubectl)["status"].get("conditions") or ()), 90
    )


def job(kubectl):
    (there,) = kubectl.get("jobs.batch", namespace=NAMESPACE, name="greetclient")
    return there


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


@pytest.mark.timeout(600)  # a load of 45 seconds takes that long, three times
def test_lab_3(kubectl):
    lab = "03_a_rollout_without_a_lost_call"
    apply(kubectl, f"{lab}/start", [SERVER])
    says(3, "fail", "nobody asks a pod of greetserver whether it is ready")
    apply(kubectl, f"{lab}/solution", [SERVER])
    says(3, "fail", "there is no Job greetclient")

    call(kubectl, f"{lab}/solution/client")
    says(3, "fail", "the Job greetclient still calls")
    called(kubectl)
    says(3, "fail", "no rollout went on meanwhile")
    call(kubectl, f"{lab}/start/client")  # gRPC's cooldown of 30 s
    restart(kubectl, SERVER)
    called(kubectl)
    says(3, "fail", "s no pod that the client knew was there. From one lookup to the next it let")
    call(kubectl, f"{lab}/solution/client")
    restart(kubectl, SERVER)
    called(kubectl)
    says(3, "pass", "no caller noticed")

    change(kubectl, {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}})
    says(3, "fail", "goes on for 1 s after it is off the list")
    change(kubectl, {"lifecycle": None})
    says(3, "fail", "gets SIGTERM in the moment in which it is taken off the list")
    apply(kubectl, f"{lab}/solution", [SERVER])
    says(3, "fail", "ended before the pods that are there now had come")
    change(kubectl, {}, {"terminationGracePeriodSeconds": 12})
    says(3, "fail", "SIGKILL comes 12 s after a pod was told to go")
    change(kubectl, {"args": ["--service-time=400ms", "--grace=0s"]})
    says(3, "fail", "gives what is under way 0 s, and a call takes 0.4 s")
    change(kubectl, {}, strategy={"type": "Recreate", "rollingUpdate": None})
    says(3, "fail", "is Recreate: all its pods end before the first new one begins")


def config(*names, code="UNAVAILABLE"):
    retry = {
        "maxAttempts": 3,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": [code],
    }
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": retry}]})


def test_lab_4(kubectl):
    lab = "04_pods_that_die_and_fall_silent"
    solved = f"{lab}/solution/client"
    says(4, "fail", "there is no namespace greetlab")
    apply(kubectl, f"{lab}/start", [SERVER])
    says(4, "fail", "there is no Job greetclient")
    for flags, words in [
        ({"keepalive_time": None}, "on which nobody answers is as good as any"),
        ({"keepalive_timeout": None}, "gives a silent connection up after 20s"),
        ({"service_config": None}, "the client sends none again"),
        ({"service_config": '{"methodConfig": []}'}, "says nothing about sending a call again"),
        ({"service_config": config()}, "is for no method"),
        ({"service_config": config({"service": "x.Y"})}, "of x.Y, and not for greet.GreetService"),
        ({"service_config": config({}, code="INTERNAL")}, "calls again that end as INTERNAL"),
        ({"service_config": "nonsense"}, "is refused, as a whole"),
        ({}, "no connection was cut in the midst of its calls"),
    ]:
        call_with(kubectl, solved, **flags)
        says(4, "fail", words)


@pytest.mark.skipif(
    not NODE, reason="no way to the node is named: GREETLAB_NODE='minikube ssh -- sudo' runs this"
)
def test_lab_4_with_a_death_and_a_silence(kubectl):
    lab = "04_pods_that_die_and_fall_silent"
    apply(kubectl, f"{lab}/start", [SERVER])
    call(kubectl, f"{lab}/solution/client")
    time.sleep(2)  # of calls
    die(kubectl, 0)
    called(kubectl)
    says(4, "fail", "gave no connection up for its silence")
    restart(kubectl, SERVER)  # to the pod that came back nobody had a connection
    call(kubectl, f"{lab}/solution/client")
    time.sleep(2)
    die(kubectl, 0)
    time.sleep(2)
    with silence(kubectl, 1):
        called(kubectl)
    says(4, "pass", "no caller noticed")


def pod(kubectl, number):
    name = f"app.kubernetes.io/name={SERVER}"
    there = kubectl.get("pods", namespace=NAMESPACE, selector=name)
    return sorted(there, key=lambda pod: pod["metadata"]["name"])[number]


def node(*command):
    done = subprocess.run([*NODE, *command], check=True, capture_output=True, timeout=30)
    return done.stdout.decode().strip()


def die(kubectl, number):
    """Its process is killed, as the guide does it."""
    name = f"io.kubernetes.pod.name={pod(kubectl, number)['metadata']['name']}"
    container = node("crictl", "ps", "--quiet", "--name", SERVER, "--label", name)
    pid = ("--output", "go-template", "--template", "{{.info.pid}}")
    node("kill", "-9", node("crictl", "inspect", *pid, container))


@contextmanager
def silence(kubectl, number):
    """What is sent to it is dropped."""
    address = pod(kubectl, number)["status"]["podIP"]
    rule = ["PREROUTING", "-d", address, "-p", "tcp", "--dport", "50051", "-j", "DROP"]
    node("iptables", "-t", "raw", "-I", *rule)
    try:
        yield
    finally:
        node("iptables", "-t", "raw", "-D", *rule)


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
