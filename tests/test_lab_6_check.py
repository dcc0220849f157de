"""`greetlab check 6`: the unsolved fails, the solution passes, each wrong state has a sentence.

The certificates are real ones, of the lab's own openssl commands. The same on a real cluster:
tests/kube/test_labs.py."""

import base64
import os
import re
import shutil
import subprocess

import kubernetes_validate
import pytest
from kube_world import LAB_6, ROOT, built, env, find, plain, printed_check

from greetlab.lessons.labs import judge

NAME = "greetserver-headless.greetlab.svc.cluster.local"
SHORT = "DNS:greetserver-headless.greetlab.svc,DNS:greetserver-headless"
PODS = "DNS:greetserver-7fcdc95884-l7vmj,IP:10.244.0.4"  # of pods that were there before
TLS, GATEWAY_TLS = "  - ../tls/pods\n", "  - ../tls/gateway\n"


pytestmark = pytest.mark.skipif(
    not shutil.which("openssl"), reason="no openssl to make certificates with"
)
ENVIRONMENT = dict(os.environ)
"""As it is without the scripted kubectl."""


def shell(folder, *lines):
    script = "\n".join(["set -e", ". ../authority.sh", *lines])
    subprocess.run(
        ["/bin/sh", "-c", script], cwd=folder, env=ENVIRONMENT, check=True, capture_output=True,
        timeout=30,
    )  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A copy of the lab in which its solution has certificates: of certificate.sh."""
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "k8s", root / "k8s")
    lab = root / "labs" / LAB_6.name
    shutil.copytree(LAB_6, lab)
    subprocess.run([lab / "solution/certificate.sh"], check=True, capture_output=True, timeout=30)
    return lab


@pytest.fixture(scope="module")
def made(lab):
    """Files of other certificates: made(names, days=30, authority="solution")."""
    there = {}

    def make(names, days=30, authority="solution"):
        if (names, days, authority) not in there:
            folder = lab / f"made-{len(there)}"
            folder.mkdir()
            for file in ("ca.crt", "ca.key"):
                shutil.copy(lab / "solution" / file, folder)
            other = ["authority"] if authority == "other" else []
            shell(folder, *other, f"certificate '{names}' {days}")
            there[names, days, authority] = folder
        return there[names, days, authority]

    return make


def start(lab):
    return built(lab / "start")


def solution(lab):
    return built(lab / "solution")


def with_certificate(objects, folder):
    """The Secret has what is in this folder."""
    (secret,) = [thing for thing in objects if thing["kind"] == "Secret"]
    for file in ("tls.crt", "tls.key"):
        secret["data"][file] = base64.b64encode((folder / file).read_bytes()).decode()
    return objects


def data(objects, kind, change):
    (thing,) = [thing for thing in objects if thing["kind"] == kind]
    change(thing["data"])
    return objects


def pod(objects, name="greetserver"):
    return find(objects, "Deployment", name)["spec"]["template"]["spec"]


def probe(objects):
    pod(objects)["containers"][0]["readinessProbe"]["grpc"] = {"port": 50051}
    return objects


def gateway(objects, **values):
    env(objects, **values)
    return objects


def unmounted(objects):
    del pod(objects)["containers"][0]["volumeMounts"]
    return objects


def without(objects, kind):
    return [thing for thing in objects if thing["kind"] != kind]


def only_pods(lab):
    """TLS at the pods, and none at the gateway: as the guide has it in between."""
    return gateway(solution(lab), GRPC_TLS=None, GRPC_CA=None)


WRONG = {
    "nothing deployed": (lambda lab, made: [], "there is no namespace greetlab"),
    "plaintext": (lambda lab, made: start(lab), "speak plaintext: they have no certificate"),
    "a plaintext client": (
        lambda lab, made: only_pods(lab), "the pods speak TLS, and the gateway speaks plaintext"
    ),
    "gRPC's probe left in": (
        lambda lab, made: probe(solution(lab)), "their readinessProbe is gRPC's, which does not"
    ),
    "no authority": (
        lambda lab, made: gateway(solution(lab), GRPC_CA=None), "is told of no authority"
    ),
    "the ClusterIP's name": (
        lambda lab, made: with_certificate(
            solution(lab), made(f"DNS:greetserver.{NAME.partition('.')[2]}")
        ),
        r"is for greetserver\.greetlab\.svc\.cluster\.local: that is another Service\. The gateway",
    ),
    "a name of nobody": (
        lambda lab, made: with_certificate(solution(lab), made("DNS:greet.com")),
        r"is for greet\.com, and the gateway expects greetserver-headless\.greetlab",
    ),
    "the pods' names": (
        lambda lab, made: with_certificate(solution(lab), made(PODS)),
        "pods' own names and addresses. The gateway expects greetserver-headless",
    ),
    "the short name only": (
        lambda lab, made: with_certificate(solution(lab), made(SHORT)),
        "and the gateway expects the Service's name in full: greetserver-headless",
    ),
    "a name that no client looks at": (
        lambda lab, made: with_certificate(solution(lab), made("email:a@greet.com")),
        "has no subjectAltName",
    ),
    "expired": (
        lambda lab, made: with_certificate(solution(lab), made(f"DNS:{NAME}", days=0)),
        r"has expired: it was good until 20\d\d-",
    ),
    "another authority": (
        lambda lab, made: with_certificate(solution(lab), made(f"DNS:{NAME}", authority="other")),
        "signed by another CN=greetlab lab 6, with another key, whom the gateway does not trust",
    ),
    "nobody's authority": (
        lambda lab, made: data(
            solution(lab), "ConfigMap", lambda data: data.update({"ca.crt": "none"})
        ),
        "what the ConfigMap greetlab-ca-.* has there is no certificate",
    ),
    "another file": (
        lambda lab, made: data(
            solution(lab), "Secret", lambda data: data.update(cert=data.pop("tls.crt"))
        ),
        r"the Secret greetserver-tls-\S+ has no tls\.crt: it has tls\.key, cert",
    ),
    "no Secret": (
        lambda lab, made: without(solution(lab), "Secret"), "there is no Secret greetserver-tls-"
    ),
    "nothing mounted": (
        lambda lab, made: unmounted(solution(lab)),
        r"nothing is mounted where greetserver looks for /etc/greetserver/tls\.crt",
    ),
    "another name expected": (
        lambda lab, made: gateway(solution(lab), GRPC_SERVER_NAME="pods.greet.com"),
        "expects pods.greet.com|full: pods.greet.com",
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", WRONG)
def test_each_wrong_state_has_its_sentence_which_never_tells_the_fix(kubectl, lab, made, state):
    objects, words = WRONG[state]
    kubectl.deploy(objects(lab, made))
    verdict = judge(6, "lab").verdict
    assert verdict.status == "fail", verdict
    assert re.search(words, verdict.sentence), verdict
    for advice in ("--tls", "GRPC_TLS", "DNS:", "tcpSocket", "should", "must"):
        assert advice not in verdict.sentence
    for name, (_, other) in WRONG.items():
        if name != state:
            assert not re.search(other, verdict.sentence), f"this is the sentence of {name}, too"


def test_the_solution_passes(kubectl, lab):
    kubectl.deploy(solution(lab))
    found = judge(6, "lab")
    assert found.verdict.status == "pass", found
    assert f"it is for {NAME}" in found.right


@pytest.mark.parametrize("names", [f"DNS:{NAME}", "DNS:*.greetlab.svc.cluster.local"])
def test_other_certificates_pass_too(kubectl, lab, made, names):
    kubectl.deploy(with_certificate(solution(lab), made(names)))
    assert judge(6, "lab").verdict.ok


def test_a_star_is_one_label(kubectl, lab, made):
    kubectl.deploy(with_certificate(solution(lab), made("DNS:*.svc.cluster.local")))
    assert judge(6, "lab").verdict.status == "fail"


def test_a_client_that_is_told_whom_to_expect_is_right_as_well(kubectl, lab, made):
    objects = with_certificate(solution(lab), made("DNS:pods.greet.com"))
    kubectl.deploy(gateway(objects, GRPC_SERVER_NAME="pods.greet.com"))
    assert judge(6, "lab").verdict.ok


def test_flags_say_it_as_well_as_variables(kubectl, lab):
    objects = only_pods(lab)
    container = pod(objects, "greetgateway")["containers"][0]
    container["args"] += ["--tls", "--ca=/etc/greetlab/ca.crt"]
    kubectl.deploy(objects)
    assert judge(6, "lab").verdict.ok


def test_a_volume_of_another_kind_is_unknown(kubectl, lab):
    objects = solution(lab)
    pod(objects)["volumes"][0] = {"name": "tls", "csi": {"driver": "csi.cert-manager.io"}}
    kubectl.deploy(objects)
    verdict = judge(6, "lab").verdict
    assert verdict.status == "unknown"
    assert "neither a Secret nor a ConfigMap" in verdict.sentence


def test_a_check_never_shows_the_key(kubectl, lab):
    kubectl.deploy(solution(lab))
    key = (lab / "solution" / "tls.key").read_text()
    assert not any(line in repr(judge(6, "lab")) for line in key.splitlines()[1:-1])


def test_the_solution_is_the_start_with_tls(lab):
    before, after = start(lab), solution(lab)
    changed = {(t["kind"], re.sub("-[0-9a-z]{10}$", "", t["metadata"]["name"])) for t in after
               if t not in before}  # fmt: skip
    assert changed == {
        ("Secret", "greetserver-tls"),
        ("ConfigMap", "greetlab-ca"),
        ("Deployment", "greetserver"),
        ("Deployment", "greetgateway"),
    }
    (trusted,) = [thing["data"] for thing in after if thing["kind"] == "ConfigMap"]
    assert list(trusted) == ["ca.crt"]  # and no key


@pytest.mark.parametrize("folder", ["start", "solution"])
def test_kubernetes_takes_it_and_it_is_ours(lab, folder):
    for thing in built(lab / folder):
        for version in ("1.30", kubernetes_validate.latest_version()):
            kubernetes_validate.validate(thing, version, strict=True)
        assert thing["metadata"]["labels"]["app.kubernetes.io/part-of"] == "greetlab"


def test_keys_and_certificates_stay_out_of_git():
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *(f"{f}/tls.key" for f in ("solution", "mine"))],
        cwd=LAB_6, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 2


def test_another_certificate_is_a_rollout(lab, made):
    other = lab / "another"
    shutil.copytree(lab / "solution", other)
    for file in ("tls.crt", "tls.key"):
        shutil.copy(made(f"DNS:{NAME}") / file, other)
    one, two = (pod(built(folder))["volumes"] for folder in (lab / "solution", other))
    assert one != two


def without_hashes(text):
    """Neither the hash in the Secret's name nor a date."""
    return re.sub(r"(greetserver-tls)-[0-9a-z]{10}|20\d\d-\d\d-\d\d", r"\1", text)


def test_the_readme_shows_what_the_check_really_prints(kubectl, lab, made):
    kubectl.set(contexts=["greetlab"])
    text = without_hashes(plain((LAB_6 / "README.md").read_text()))
    vip = with_certificate(solution(lab), made(f"DNS:greetserver.{NAME.partition('.')[2]}"))
    for objects in (only_pods(lab), vip, solution(lab)):
        kubectl.deploy(objects)
        assert without_hashes(printed_check(6)) in text
