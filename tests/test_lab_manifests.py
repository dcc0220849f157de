"""What the labs apply: start/, solution/, their single files, the Job of `greetlab kube run`."""

import kubernetes_validate
import pytest
import yaml
from kube_world import LAB_1, LAB_3, LAB_4, built, find

from greetlab.clusters.kube.job import manifest, own_image

OURS = ("app.kubernetes.io/part-of", "greetlab")
STEPS = ("start", "solution")
VERSIONS = ("1.30", kubernetes_validate.latest_version())


def lookup():
    return yaml.safe_load((LAB_1 / "lookup.yaml").read_text())


def job():
    return manifest(["dns:///greetserver-headless:50051", "-n", "60"], own_image(), 300)


def everything():
    folders = [
        LAB_1 / "start",
        LAB_1 / "solution",
        *(lab / step / part for lab in (LAB_3, LAB_4) for step in STEPS for part in ("", "client")),
    ]
    silent = yaml.safe_load((LAB_4 / "silent.yaml").read_text())
    return [*(thing for folder in folders for thing in built(folder)), lookup(), job(), silent]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_them(version):
    for thing in everything():
        kubernetes_validate.validate(thing, version, strict=True)


def test_all_of_it_is_in_our_namespace_and_carries_our_label():
    for thing in everything():
        meta = thing["metadata"]
        assert meta["name" if thing["kind"] == "Namespace" else "namespace"] == "greetlab"
        assert OURS in meta["labels"].items(), meta


def test_the_solution_changes_three_things_and_ends_old_connections():
    start, solution = built(LAB_1 / "start"), built(LAB_1 / "solution")
    new = [thing for thing in solution if thing not in start]
    assert {(thing["kind"], thing["metadata"]["name"]) for thing in new} == {
        ("Service", "greetserver-headless"),
        ("Deployment", "greetgateway"),
        ("Deployment", "greetserver"),
    }
    old, aged = (
        find(all_, "Deployment", "greetserver")["spec"]["template"]["spec"]["containers"][0]["args"]
        for all_ in (start, solution)
    )
    assert aged == [*old, "--max-connection-age=10s", "--max-connection-age-grace=10s"]
    before, after = (find(all_, "Deployment", "greetgateway") for all_ in (start, solution))
    for deployment in (before, after):
        del deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert before == after


@pytest.mark.parametrize("pod", [lookup()["spec"], job()["spec"]["template"]["spec"]])
def test_a_pod_passes_the_restricted_standard_that_the_namespace_enforces(pod):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert not pod.get("volumes")


def test_the_network_policy_lets_the_lookup_ask_dns():
    policy = find(built(LAB_1 / "start"), "NetworkPolicy", "callers")
    (rule,) = policy["spec"]["podSelector"]["matchExpressions"]
    assert lookup()["metadata"]["labels"][rule["key"]] in rule["values"]


def test_no_image_is_latest():
    images = [
        container["image"]
        for thing in everything()
        for container in thing.get("spec", {})
        .get("template", thing)
        .get("spec", {})
        .get("containers", ())
    ]
    assert len(images) == 14
    assert all(":" in image and not image.endswith(":latest") for image in images)


def test_the_silent_policy_is_the_lab_s_own_but_for_the_pods_with_the_label():
    silent = yaml.safe_load((LAB_4 / "silent.yaml").read_text())["spec"]
    own = find(built(LAB_4 / "start"), "NetworkPolicy", "greetserver")["spec"]
    (name, without) = silent.pop("podSelector")["matchExpressions"]
    assert without == {"key": "silent", "operator": "DoesNotExist"}
    assert own.pop("podSelector") == {"matchLabels": {name["key"]: name["values"][0]}}
    assert silent == own
