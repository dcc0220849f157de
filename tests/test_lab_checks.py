"""`greetlab check`: the unsolved state fails, the solution passes, and each wrong state fails with
a sentence of its own, which never tells the fix. The cluster is a scripted kubectl's."""

import json
import re

import pytest
from kube_world import (
    LAB_1,
    built,
    env,
    find,
    greeting,
    recorded,
    servers,
    settled,
)
from typer.testing import CliRunner

from greetlab.commands.cli import app
from greetlab.lessons.labs import all_labs, judge


def start():
    return built(LAB_1 / "start")


def solution():
    return built(LAB_1 / "solution")


def spec(objects, name="greetserver-headless"):
    return find(objects, "Service", name)["spec"]


def greetlab(*arguments):
    return CliRunner().invoke(app, list(arguments))


# Lab 1.


def test_the_unsolved_state_fails(kubectl):
    objects = start()
    kubectl.deploy(objects, greetings=[greeting(servers(settled(objects))[0])])
    verdict = judge(1, "lab").verdict
    assert verdict.status == "fail"
    assert re.search(
        r"that your gateway dials, greetserver, still has a clusterIP: 10\.96\.\d+\.7\.$",
        verdict.sentence,
    )


def test_the_solution_passes(kubectl):
    kubectl.deploy(solution())
    found = judge(1, "lab")
    assert (found.verdict.status, found.verdict.sentence) == ("pass", "every pod answers, in turn.")
    assert found.right[-1].endswith("2b7kx 4, greetserver-5d9c7b8f6d-9xq4d 4, "
                                    "greetserver-5d9c7b8f6d-m6zrt 4")  # fmt: skip


def test_the_other_way_to_solve_it_passes_too(kubectl):
    """The Service of the start deleted, and made anew without an address."""
    objects = start()
    spec(objects, "greetserver")["clusterIP"] = "None"
    env(objects, GRPC_SERVER_PORT="50051", GRPC_POLICY="round_robin")
    kubectl.deploy(objects)
    assert judge(1, "lab").verdict.ok


def test_flags_are_as_good_as_variables_and_win(kubectl):
    objects = solution()
    env(objects, GRPC_POLICY="pick_first", GRPC_SERVER_PORT=None)
    container = find(objects, "Deployment", "greetgateway")["spec"]["template"]["spec"]
    container["containers"][0]["args"] = ["--policy", "round_robin", "--server-port=50051"]
    kubectl.deploy(objects)
    assert judge(1, "lab").verdict.ok


def test_a_target_names_the_service_too(kubectl):
    objects = solution()
    target = "dns:///greetserver-headless.greetlab.svc.cluster.local:50051"
    env(objects, GRPC_TARGET=target, GRPC_SVC=None, GRPC_SERVER_PORT=None)
    kubectl.deploy(objects)
    assert judge(1, "lab").verdict.ok


def test_an_answer_in_plain_text_names_the_pod_too(kubectl):
    names = servers(settled(solution()))
    text = "response from Greet rpc: Hello, Ada Lovelace from pod: name({}), ip(10.244.0.4)."
    kubectl.deploy(solution(), greetings=[text.format(name) for name in names])
    assert judge(1, "lab").verdict.ok


def gateway(objects, **values):
    env(objects, **values)
    return objects


def service(objects, name="greetserver-headless", **fields):
    spec(objects, name).update(fields)
    return objects


def replicas(objects, count):
    find(objects, "Deployment", "greetserver")["spec"]["replicas"] = count
    return objects


def without(objects, kind, name):
    return [thing for thing in objects if thing is not find(objects, kind, name)]


def ports(target):
    return [{"name": "grpc", "port": 50051, "targetPort": target}]


WRONG = {
    "nothing deployed": (lambda: [], {}, "there is no namespace greetlab"),
    "no servers": (
        lambda: without(solution(), "Deployment", "greetserver"), {},
        "there is no Deployment greetserver: there is greetgateway",
    ),
    "no gateway": (
        lambda: without(solution(), "Deployment", "greetgateway"), {},
        "there is no Deployment greetgateway: there is greetserver",
    ),
    "too few pods": (lambda: replicas(solution(), 1), {}, "asks for 1 pod, and this lab"),
    "image missing": (
        solution, {"greetserver": "image_never_pull"},
        r"does not have the image greetlab:0\.1\.0 \(ErrImageNeverPull\)",
    ),
    "image not pulled": (
        solution, {"greetserver": "image_pull_back_off"},
        r"the image greetlab:.* \(ImagePullBackOff\)",
    ),
    "crash loop": (
        solution, {"greetserver": "crash_loop"},
        r"Deployment greetserver .* ends as often .* \(CrashLoopBackOff, exit status 2\)",
    ),
    "container refused": (
        solution, {"greetserver": "config_error"}, "image will run as root"
    ),
    "no room": (solution, {"greetserver": "unschedulable"}, "no node takes it: 0/1 nodes"),
    "servers not ready": (
        solution, {"greetserver": "not_ready"},
        "greetserver-.* is not ready: it runs, and its readiness probe",
    ),
    "the gateway names nothing": (
        lambda: gateway(solution(), GRPC_SVC=None), {}, "names no Service",
    ),
    "no namespace in the name": (
        lambda: gateway(solution(), POD_NAMESPACE=None), {}, "POD_NAMESPACE is not"
    ),
    "another namespace": (
        lambda: gateway(solution(), POD_NAMESPACE="default"), {},
        r"dials greetserver-headless\.default\.svc\.cluster\.local, which is no Service of",
    ),
    "an address": (
        lambda: gateway(start(), GRPC_SERVER_HOST="10.96.3.7"), {},
        "GRPC_SERVER_HOST is 10.96.3.7, an address",
    ),
    "a Service that does not exist": (
        lambda: gateway(solution(), GRPC_SVC="greet-server"), {},
        "GRPC_SVC leads to a Service greet-server, which does not exist: there is .*greetserver",
    ),
    "labels mixed up": (
        lambda: service(solution(), selector={"run": "greetserver"}), {},
        "no endpoints: it selects run=greetserver, and the pods of greetserver carry "
        "app.kubernetes.io/name=greetserver",
    ),
    "no selector": (lambda: service(solution(), selector=None), {}, "has no selector"),
    "a selector that is too wide": (
        lambda: service(solution(), selector={"app.kubernetes.io/part-of": "greetlab"}), {},
        "which also chooses greetgateway-.*, no pod of greetserver",
    ),
    "publishNotReadyAddresses": (
        lambda: service(solution(), publishNotReadyAddresses=True), {}, "publishNotReadyAddresses"
    ),
    "targetPort elsewhere": (
        lambda: service(solution(), ports=ports(8080)), {}, "leads to port 8080 of the pods"
    ),
    "targetPort of no name": (
        lambda: service(solution(), ports=ports("gprc")), {}, "targetPort gprc .* names no port"
    ),
    "ClusterIP left in": (
        lambda: gateway(solution(), GRPC_SVC="greetserver"), {},
        r"dials, greetserver, still has a clusterIP: 10\.96",
    ),
    "the Service's port": (
        lambda: gateway(solution(), GRPC_SERVER_PORT="80"), {}, "dials port 80 of the pods"
    ),
    "no port": (lambda: gateway(solution(), GRPC_SERVER_PORT="grpc"), {}, "no port number"),
    "pick_first left in": (
        lambda: gateway(solution(), GRPC_POLICY="pick_first"), {}, "GRPC_POLICY says so"
    ),
    "pick_first by default": (
        lambda: gateway(solution(), GRPC_POLICY=None), {}, "GRPC_POLICY is not set"
    ),
    "random": (lambda: gateway(solution(), GRPC_POLICY="random"), {}, "share by luck"),
    "a policy that there is not": (
        lambda: gateway(solution(), GRPC_POLICY="roundrobin"), {"greetgateway": "crash_loop"},
        "'roundrobin', a policy that the gateway does not know",
    ),
    "gateway not ready": (
        solution, {"greetgateway": "not_ready"}, "greetgateway-.* is not ready: it runs, and its"
    ),
    "gateway crashes": (
        solution, {"greetgateway": "crash_loop"}, "of the Deployment greetgateway .* ends as often"
    ),
    "no way to the gateway": (
        lambda: without(solution(), "Service", "greetgateway"), {},
        "there is no Service greetgateway",
    ),
}  # fmt: skip


ADVICE = ("clusterIP: None", "50051", "round_robin", "kubectl", "should", "must", "instead")
"""What the solution has and the wrong state has not, and how advice is given."""


@pytest.mark.parametrize("state", WRONG)
def test_each_wrong_state_fails_with_its_own_sentence_which_never_tells_the_fix(kubectl, state):
    objects, statuses, words = WRONG[state]
    kubectl.deploy(objects(), **statuses)
    verdict = judge(1, "lab").verdict
    assert verdict.status == "fail", verdict
    assert re.search(words, verdict.sentence), verdict
    print(verdict)
    for advice in ADVICE:
        assert advice not in verdict.sentence
    for name, (_, _, other) in WRONG.items():
        if name != state:
            assert not re.search(other, verdict.sentence), f"this is the sentence of {name}, too"


def test_a_pod_that_was_evicted_and_replaced_does_not_count(kubectl):
    kubectl.deploy(solution())
    things = kubectl.objects
    old = json.loads(json.dumps(find(things, "Pod", servers(things)[0])))
    old["metadata"]["name"] += "-old"
    old["status"] = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}
    kubectl.set(objects=[*things, old])
    assert judge(1, "lab").verdict.ok


def test_a_ready_pod_that_is_no_endpoint_is_named(kubectl):
    kubectl.deploy(solution())
    things = kubectl.objects
    (piece,) = [
        thing
        for thing in things
        if thing["kind"] == "EndpointSlice" and "headless" in thing["metadata"]["name"]
    ]
    piece["endpoints"][1]["conditions"]["ready"] = False
    kubectl.set(objects=things)
    assert judge(1, "lab").verdict.sentence == (
        "1 of 3 ready pods are not among the endpoints of your Service greetserver-headless: "
        "greetserver-5d9c7b8f6d-9xq4d."
    )


# What only the greetings show.


def test_greetings_that_one_pod_answers_fail_whatever_the_manifests_say(kubectl):
    kubectl.deploy(solution(), greetings=[greeting("greetserver-5d9c7b8f6d-2b7kx")])
    verdict = judge(1, "lab").verdict
    assert str(verdict) == (
        "✘ FAIL    lab 1: all 12 greetings were answered by greetserver-5d9c7b8f6d-2b7kx."
    )


def test_a_pod_that_answers_none_is_named(kubectl):
    two = servers(settled(solution()))[:2]
    kubectl.deploy(solution(), greetings=[greeting(pod) for pod in two])
    sentence = judge(1, "lab").verdict.sentence
    assert "none was answered by greetserver-5d9c7b8f6d-m6zrt: " in sentence


def test_a_cold_start_is_told_by_the_pods_times(kubectl):
    """All of it applied at once: two of three pods became ready after the gateway had looked."""
    things = settled(solution())
    names = servers(things)
    for name, second in zip(
        [*names, "greetgateway-5d9c7b8f6d-2b7kx"], (40, 46, 47, 42), strict=True
    ):
        status = find(things, "Pod", name)["status"]
        ready = next(c for c in status["conditions"] if c["type"] == "Ready")
        ready["lastTransitionTime"] = f"2025-11-03T09:12:{second + 2}Z"
        status["containerStatuses"][0]["state"]["running"]["startedAt"] = (
            f"2025-11-03T09:12:{second}Z"
        )
    kubectl.set(objects=things, greetings=[greeting(names[0])])
    assert judge(1, "lab").verdict.sentence == (
        f"all 12 greetings were answered by {names[0]}. {names[1]}, {names[2]} became ready when "
        "the gateway was running already: it has looked the name up, perhaps before, and while its "
        "connections are well it does not look again."
    )


def test_a_greeting_that_fails_is_told_in_the_servers_words(kubectl):
    error = "Error from server (ServiceUnavailable): no endpoints available for service"
    kubectl.deploy(solution(), greetings=[error])
    verdict = judge(1, "lab").verdict
    assert verdict.status == "fail"
    assert "was not answered: no endpoints available for service" in verdict.sentence


def test_old_pods_that_still_answer_do_not_count(kubectl):
    """A rollout keeps the old gateway until the new one is ready."""
    kubectl.deploy(solution())
    things = kubectl.objects
    find(things, "Deployment", "greetgateway")["metadata"]["generation"] = 2
    kubectl.set(objects=things)
    verdict = judge(1, "lab").verdict
    assert "the Deployment greetgateway is still on its way" in verdict.sentence
    assert "create" not in kubectl.verbs()  # no greeting was sent


# Unknown.


def unknown(number=1, context="lab"):
    verdict = judge(number, context).verdict
    assert verdict.status == "unknown", verdict
    return verdict.sentence


def test_without_kubectl_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert unknown().startswith("kubectl is not on PATH")


def test_a_context_that_there_is_not_is_unknown_and_told_with_those_that_there_are(kubectl):
    assert unknown(context="lap") == (
        "no context 'lap' in the kubeconfig: it has work-production (current), lab"
    )


REFUSALS = {
    "The connection to the server 192.168.49.2:8443 was refused - did you specify the right host "
    "or port?": "was refused",
    "Unable to connect to the server: dial tcp 192.168.49.2:8443: i/o timeout": "i/o timeout",
    'Error from server (Forbidden): namespaces "greetlab" is forbidden: User "dev" cannot get '
    'resource "namespaces" in API group "" at the cluster scope': "is forbidden",
    "error: You must be logged in to the server (Unauthorized)": "must be logged in",
}


@pytest.mark.parametrize("said", REFUSALS)
def test_a_cluster_that_cannot_be_looked_at_is_unknown(kubectl, said):
    log = 'E1103 09:12:44.520513 1 memcache.go:381] "Couldn\'t get current server API group list"'
    kubectl.set(errors={"get": f"{log}\n{said}"})
    sentence = unknown()
    assert sentence.startswith("get namespaces in context lab: ")
    assert REFUSALS[said] in sentence
    assert "memcache" not in sentence


def test_a_greeting_that_was_forbidden_is_unknown(kubectl):
    error = 'Error from server (Forbidden): services "greetgateway:http" is forbidden: User "dev"'
    kubectl.deploy(solution(), greetings=[error])
    assert "is forbidden" in unknown()


def test_a_gateway_that_the_api_server_does_not_reach_is_unknown(kubectl):
    """On some clusters it is outside, and a NetworkPolicy keeps it there."""
    error = (
        "Error from server (ServiceUnavailable): error trying to reach service: dial tcp "
        "10.244.1.4:9091: i/o timeout"
    )
    kubectl.deploy(solution(), greetings=[error])
    assert "trying to reach service" in unknown()


def test_a_kubectl_that_hangs_is_unknown(kubectl_on_path, monkeypatch):
    monkeypatch.setattr("greetlab.clusters.kube.kubectl._SLACK", -9.0)
    kubectl_on_path.set(hangs=["get"])
    assert "kubectl gave no answer within" in unknown()


def test_what_comes_from_a_config_map_is_unknown(kubectl):
    objects = solution()
    pod = find(objects, "Deployment", "greetgateway")["spec"]["template"]["spec"]
    pod["containers"][0]["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    kubectl.deploy(objects)
    assert "ConfigMap" in unknown()


def test_a_target_of_another_kind_is_unknown(kubectl):
    objects = solution()
    env(objects, GRPC_TARGET="static:10.244.0.4:50051")
    kubectl.deploy(objects)
    assert "static:10.244.0.4:50051, and no dns:///NAME:PORT" in unknown()


def test_an_answer_of_something_else_is_unknown(kubectl):
    kubectl.deploy(solution(), greetings=["<html>It works!</html>"])
    assert "no gateway: '<html>It works!</html>'" in unknown()


# Lab 0.


def cluster(kubectl, **state):
    ingress = {"kind": "IngressClass", "metadata": {"name": "nginx"}}
    kubectl.set(**({"objects": [recorded("node"), ingress]} | state))


def test_a_cluster_with_the_image_and_an_ingress_is_ready(kubectl):
    cluster(kubectl)
    found = judge(0, "lab")
    assert found.verdict.ok, found
    assert found.right[0] == "context lab leads to a Kubernetes v1.31.0"
    assert found.right[-1] == "the namespace greetlab is free"


def node(**status):
    thing = recorded("node")
    return [thing | {"status": thing["status"] | status}]


WRONG_0 = {
    "old": ({"version": {"major": "1", "minor": "29+", "gitVersion": "v1.29.4"}}, "v1.29.4, which"),
    "not ready": (
        {"objects": node(conditions=[{"type": "Ready", "status": "Unknown"}])}, "0 of 1 nodes"
    ),
    "no image": ({"objects": node(images=[])}, r"not have the image greetlab:0\.1\.0\."),
    "another version": (
        {"objects": node(images=[{"names": ["docker.io/library/greetlab:0.0.9"]}])},
        r"greetlab:0\.1\.0, but greetlab:0\.0\.9",
    ),
    "no ingress": ({"objects": [recorded("node")]}, "no Ingress controller"),
}  # fmt: skip


@pytest.mark.parametrize("state", WRONG_0)
def test_each_cluster_that_is_not_ready_is_told_why(kubectl, state):
    changed, words = WRONG_0[state]
    cluster(kubectl, **changed)
    verdict = judge(0, "lab").verdict
    assert verdict.status == "fail", verdict
    assert re.search(words, verdict.sentence)


def test_a_node_with_many_images_does_not_tell_of_all(kubectl):
    many = [{"names": [f"registry.example/app:{n}"]} for n in range(50)]
    cluster(kubectl, objects=node(images=many))
    assert "its 50 largest images only" in unknown(0)


# The command.


def test_the_command_prints_what_is_right_then_the_verdict_and_exits_by_it(kubectl_on_path):
    kubectl_on_path.deploy(solution())
    done = greetlab("check", "1", "--context", "lab")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "✔ PASS    lab 1: every pod answers, in turn."
    assert "  ✔ the gateway's policy is round_robin" in done.stdout.splitlines()
    kubectl_on_path.deploy(start())
    assert greetlab("check", "1", "--context", "lab").exit_code == 1
    assert greetlab("check", "1", "--context", "lap").exit_code == 3


def test_json_is_one_document(kubectl):
    kubectl.deploy(solution())
    told = json.loads(greetlab("check", "1", "--context", "lab", "--json").stdout)
    assert (told["lab"], told["name"], told["status"]) == (1, "sticky_to_round_robin", "pass")
    assert len(told["right"]) == 8


def test_a_context_that_was_not_named_is_refused_with_those_that_there_are(kubectl):
    done = greetlab("check", "1")
    assert done.exit_code == 2
    assert "the current one is not taken by itself" in done.stderr
    assert "The kubeconfig has work-production (current), lab" in done.stderr
    assert kubectl.verbs() == ["config"]  # no cluster was asked


def test_the_environment_may_name_it(kubectl, monkeypatch):
    monkeypatch.setenv("GREETLAB_CONTEXT", "lab")
    kubectl.deploy(solution())
    assert greetlab("check", "1").exit_code == 0
    assert {asked["flags"].get("context") for asked in kubectl.asked[1:]} == {"lab"}


def test_a_lab_that_there_is_not_is_one_sentence(kubectl):
    done = greetlab("check", "7", "--context", "lab")
    assert done.exit_code == 2
    assert done.stderr.strip() == (
        "greetlab check: no lab 7: there is 0 (setup), 1 (sticky_to_round_robin), "
        "2 (more_pods_fewer_pods), 5 (a_proxy_that_balances_requests), "
        "6 (tls_with_a_headless_service)"
    )


@pytest.mark.parametrize("number", [0, 1])
def test_a_namespace_of_somebody_else_is_refused(kubectl, number):
    theirs = {"kind": "Namespace", "metadata": {"name": "greetlab", "labels": {"team": "web"}}}
    cluster(kubectl)
    kubectl.set(objects=[*kubectl.objects, theirs])
    done = greetlab("check", str(number), "--context", "lab")
    assert done.exit_code == 2
    assert "does not carry the label app.kubernetes.io/part-of=greetlab" in done.stderr


def test_a_check_only_looks(kubectl):
    kubectl.deploy(solution())
    judge(1, "lab")
    assert set(kubectl.verbs()) == {"config", "get", "create"}
    assert all("raw" in a["flags"] for a in kubectl.asked if a["words"][0] == "create")


def test_every_lab_has_its_folder():
    for lab in all_labs().values():
        readme = LAB_1.parent / f"{lab.number:02}_{lab.name}" / "README.md"
        assert f"greetlab check {lab.number}" in readme.read_text()


# What the READMEs print is what the commands print.


def checks_in(readme):
    """The blocks that a README shows of `greetlab check`, names of pods and addresses aside."""
    text = (LAB_1.parent / readme / "README.md").read_text()
    blocks = [block.removeprefix("\n") for block in text.split("```")[1::2]]
    return [plain(block) for block in blocks if re.search("^[✔✘] ", block, re.MULTILINE)]


def plain(text):
    text = re.sub(r"-[0-9a-f]{10}-[0-9a-z]{5}", "-POD", re.sub(r"v1\.\d+\.\d+", "VERSION", text))
    return re.sub(r"\d+\.\d+\.\d+\.\d+", "ADDRESS", text)


def printed(number):
    return plain(greetlab("check", str(number), "--context", "greetlab").stdout)


def test_the_readmes_show_what_the_checks_really_print(kubectl):
    kubectl.set(contexts=["greetlab"])
    cluster(kubectl)
    assert checks_in("00_setup") == [printed(0)]
    kubectl.deploy(start())
    unsolved = printed(1)
    kubectl.deploy(solution())
    assert checks_in("01_sticky_to_round_robin") == [unsolved, printed(1)]
