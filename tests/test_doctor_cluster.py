"""`greetlab doctor deployment/NAME`: each wrong state has its own sentence, and a cure.

The same on a real cluster: tests/kube/test_doctor.py."""

import json
from contextlib import contextmanager

import pytest
from command_line import greetlab
from kube_world import LAB_1, built, env, find, recorded, settled

from greetlab.clusters.kube import ContextNotNamedError, Kubectl, KubectlError
from greetlab.commands.doctor.cluster import Inside, examine, examine_cluster, inside, policies
from greetlab.commands.doctor.cluster.inside import NotInsideError

GATEWAY, SERVER = "deployment/greetgateway", "service/greetserver"
POD = ("10.244.0.4:50051", "10.244.0.5:50051", "10.244.0.6:50051")
FORBIDDEN = 'Error from server (Forbidden): {} is forbidden: User "ada" cannot {}'


def start():
    return built(LAB_1 / "start")


def solution():
    return built(LAB_1 / "solution")


@pytest.fixture
def seen(monkeypatch):
    """What our pod sees; nobody starts one."""
    what = {"inside": Inside(["10.96.0.7:80"])}

    @contextmanager
    def beside(kubectl, namespace, image):
        if isinstance(what["inside"], Exception):
            raise what["inside"]
        yield None if what["inside"] is None else object()

    monkeypatch.setattr(examine, "beside", beside)
    monkeypatch.setattr(examine, "look", lambda served, target, timeout: what["inside"])
    return what


def look(kubectl, things, target=SERVER, proc=""):
    kubectl.set(objects=things, proc=proc)
    if not proc:
        no_cat = 'exec: "cat": executable file not found in $PATH'
        kubectl.set(errors={"exec": f"error: {no_cat}"})
    else:
        kubectl.set(errors={})
    report = examine_cluster(target, "lab", "greetlab")
    (found,) = report.services
    return found


def server(things):
    return find(things, "Deployment", "greetserver")["spec"]


def container(things):
    return server(things)["template"]["spec"]["containers"][0]


def service(things):
    return find(things, "Service", "greetserver")["spec"]


def target_port(things):
    service(things)["ports"][0]["targetPort"] = "gprc"


def affinity(things):
    service(things)["sessionAffinity"] = "ClientIP"


def http(things):
    service(things)["ports"][0]["appProtocol"] = "http"


def no_probe(things):
    del container(things)["readinessProbe"]


def no_pre_stop(things):
    del container(things)["lifecycle"]


def no_grace(things):
    server(things)["template"]["spec"]["terminationGracePeriodSeconds"] = 5


def alone(things):
    server(things)["replicas"] = 1


def labels(things):
    service(things)["selector"] = {"app": "gone"}


def istio(things):
    server(things)["template"]["spec"].setdefault("initContainers", []).append(
        {"name": "istio-proxy", "restartPolicy": "Always"}
    )


def scaled(things):
    things.append(
        {
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "more", "namespace": "greetlab"},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "greetserver"}, "maxReplicas": 9,
            },
        }
    )  # fmt: skip


WRONG = {
    "a name of no port": (target_port, "targetPort", "bad", "no container of its pods has a port"),
    "session affinity": (affinity, "affinity", "bad", "sessionAffinity: ClientIP: new connections"),
    "HTTP/1": (http, "appProtocol", "bad", "a proxy may speak HTTP/1"),
    "no readiness probe": (no_probe, "readiness", "bad", "called before they listen"),
    "no preStop": (no_pre_stop, "preStop", "note", "SIGTERM comes at the same time"),
    "less grace than preStop": (no_grace, "grace", "bad", "is killed with calls in flight"),
    "one pod": (alone, "replicas", "note", "nobody to share calls with"),
    "no pod selected": (labels, "endpoints", "bad", "no pod has the labels"),
    "a sidecar of the servers": (istio, "mesh", "note", "beside the servers, which shares nothing"),
    "an autoscaler": (scaled, "replicas", "note", "more adds pods, up to 9"),
}  # fmt: skip
CURES = {
    "session affinity": '{"spec": {"sessionAffinity": "None"}}',
    "a name of no port": '"targetPort": 50051',
    "HTTP/1": '"appProtocol": "grpc"',
    "no readiness probe": '"readinessProbe": {"grpc": {"port": 50051}}',
    "no preStop": '"preStop": {"sleep": {"seconds": 5}}',
    "less grace than preStop": '"terminationGracePeriodSeconds": 20',
}


def test_nothing_is_wrong_with_the_lab_but_that_it_is_sticky(kubectl, seen):
    found = look(kubectl, settled(start()), GATEWAY)
    assert found.sticky
    assert "a ClusterIP, one address" in found.verdict
    assert [f for f in found.findings if f.level != "good"] == []
    (cure,) = found.cures
    assert '"clusterIP": "None"' in cure.command
    assert "dns:///greetserver-headless.greetlab.svc.cluster.local:50051" in cure.title


@pytest.mark.parametrize("state", WRONG)
def test_each_wrong_state_has_its_sentence_and_its_cure(kubectl, seen, state):
    change, subject, level, words = WRONG[state]
    things = start()
    change(things)
    found = look(kubectl, settled(things))
    sentences = [f.saw for f in found.findings if (f.subject, f.level) == (subject, level)]
    assert any(words in saw for saw in sentences), found.findings
    for name, (_, _, _, other) in WRONG.items():
        assert name == state or all(other not in f.saw for f in found.findings)
    if state in CURES:
        assert any(CURES[state] in cure.command for cure in found.cures), found.cures
    assert not any(cure.refused for cure in found.cures)


def test_a_refused_connection_is_a_target_port_where_nobody_listens(kubectl, seen):
    things = start()
    service(things)["ports"][0]["targetPort"] = 9999
    seen["inside"] = Inside(["10.96.0.7:80"], {"10.96.0.7:80": "connection refused"})
    found = look(kubectl, settled(things))
    (finding,) = [f for f in found.findings if f.subject == "targetPort"]
    assert finding.saw.startswith("nobody listens on 9999")
    assert any('"targetPort": 50051' in cure.command for cure in found.cures)


def test_a_server_that_wants_tls_is_not_called_broken(kubectl, seen):
    """Ours speaks plaintext, and such a server hangs up (cpp/live/connector.cc)."""
    things = [thing for thing in settled(solution()) if thing["kind"] != "NetworkPolicy"]
    ends = [f"10.244.0.{number}:50051" for number in (4, 5, 6)]
    why = "connected, but the server has hung up: is it an HTTP/2 server? Or does it want TLS?"
    for said, level in ((why, "note"), ("no answer to the connection within 3 s", "bad")):
        seen["inside"] = Inside(ends, dict.fromkeys(ends, said))
        found = look(kubectl, things, GATEWAY)
        assert {f.level for f in found.findings if f.subject == "connection"} == {level}


def test_pods_on_their_way_out_and_not_ready_are_told_apart(kubectl, seen):
    things = settled(start())
    slice_ = find(things, "EndpointSlice", "greetserver-x9k2l")
    slice_["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    slice_["endpoints"][1]["conditions"] = {"ready": False}
    found = look(kubectl, things)
    assert (len(found.ready), len(found.not_ready), len(found.terminating)) == (1, 1, 1)
    assert {f.subject for f in found.findings if f.level != "good"} >= {"terminating", "endpoints"}
    assert "nothing to share" in found.verdict


def test_the_solution_shares_and_its_connections_are_counted(kubectl, seen):
    things = settled(solution())
    there = next(t for t in things if t["kind"] == "EndpointSlice"
                 and "headless" in t["metadata"]["name"])  # fmt: skip
    seen["inside"] = Inside([f"{e['addresses'][0]}:50051" for e in there["endpoints"]])
    ends = seen["inside"].addresses
    found = look(kubectl, things, GATEWAY, proc_net_tcp(ends))
    assert found.sticky is False, found.verdict
    assert "connected to all 3" in found.verdict
    found = look(kubectl, things, GATEWAY, proc_net_tcp(ends[:1] * 2))
    assert found.sticky
    assert "connected to 1 of 3" in found.verdict
    assert list(found.connections.values()) == [{ends[0]: 2}]
    find_gateway(things)["metadata"]["deletionTimestamp"] = "2025-11-03T09:20:00Z"
    found = look(kubectl, things, GATEWAY, proc_net_tcp(ends[:1]))
    assert found.connections == {}, "one that goes is no witness"
    del find_gateway(things)["metadata"]["deletionTimestamp"]
    found = look(kubectl, things, GATEWAY)
    assert "is told round_robin" in found.verdict
    assert any("has no cat" in sentence for sentence in found.unknown)
    said = 'error: unable to upgrade connection: pods "web" is forbidden: User "ada" cannot create'
    kubectl.set(errors={"exec": said})
    (found,) = examine_cluster(GATEWAY, "lab", "greetlab").services
    assert any("you may not run anything in pod" in sentence for sentence in found.unknown)


def find_gateway(things):
    return next(t for t in things if t["kind"] == "Pod" and "greetgateway" in t["metadata"]["name"])


def proc_net_tcp(ends):
    def words(end):
        ip, _, port = end.partition(":")
        return "".join(f"{int(n):02X}" for n in reversed(ip.split("."))) + f":{int(port):04X}"

    rows = [f"{n}: 0100F40A:9C40 {words(end)} 01 0:0 0:0 0 0 0 {n}" for n, end in enumerate(ends)]
    return "\n".join(["  sl  local_address rem_address   st", *rows, ""])


def test_pick_first_is_read_from_what_the_client_is_told(kubectl, seen):
    things = solution()
    env(things, GRPC_POLICY="pick_first")
    found = look(kubectl, settled(things), GATEWAY)
    assert found.sticky
    assert "client's policy is pick_first" in found.verdict


def test_a_headless_service_maps_no_ports(kubectl, seen):
    things = solution()
    name = next(t["metadata"]["name"] for t in things
                if t["kind"] == "Service" and t["spec"].get("clusterIP") == "None")  # fmt: skip
    find(things, "Service", name)["spec"]["ports"][0] |= {"port": 80, "targetPort": 50051}
    found = look(kubectl, settled(things), f"service/{name}")
    assert any("nobody maps 80 to 50051" in finding.saw for finding in found.findings)


def test_a_policy_that_drops_the_clients_calls(kubectl, seen):
    things = start()
    find(things, "NetworkPolicy", "greetserver")["spec"]["ingress"] = []
    found = look(kubectl, settled(things), GATEWAY)
    (finding,) = [f for f in found.findings if f.subject == "policy"]
    assert "default-deny, greetserver does not let the client's calls into its pods" in finding.saw
    (cure,) = [c for c in found.cures if "networkpolicy/greetserver" in c.command]
    assert '"path": "/spec/ingress"' in cure.command
    seen["inside"] = Inside([], said="TIMEOUT")
    found = look(kubectl, settled(things), GATEWAY)
    assert any("our pod met TIMEOUT" in sentence for sentence in found.unknown)
    assert not any(finding.subject == "DNS" for finding in found.findings)


def test_a_mesh_beside_the_client_shares(kubectl, seen):
    things = start()
    pod = find(things, "Deployment", "greetgateway")["spec"]["template"]
    pod["spec"]["containers"].append({"name": "linkerd-proxy"})
    found = look(kubectl, settled(things), GATEWAY)
    assert found.sticky is False
    assert "Linkerd's sidecar" in found.verdict
    assert not any('"clusterIP"' in cure.command for cure in found.cures)


def test_what_the_server_refuses_is_said(kubectl, seen):
    kubectl.set(refusal="Error from server (Forbidden): exceeded quota")
    (cure,) = look(kubectl, settled(start())).cures
    assert cure.refused == "exceeded quota"


def test_what_may_not_be_looked_at_is_unknown_and_no_finding(kubectl, seen):
    seen["inside"] = NotInsideError("our pod does not start: its node does not have the image")
    things = settled(start())
    kubectl.set(
        objects=things,
        errors={
            "get networkpolicies.networking.k8s.io": FORBIDDEN.format("networkpolicies", "list")
        },
    )
    (found,) = examine_cluster(SERVER, "lab", "greetlab").services
    assert "does not have the image" in " ".join(found.unknown)
    assert any(s.startswith("Whether a networkpolicy drops") for s in found.unknown)
    assert found.sticky


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("service/nobody", "no Service nobody in namespace greetlab of context lab: it has "),
        ("deployment/nobody", "no Deployment nobody in namespace greetlab"),
    ],
)
def test_what_is_not_there(kubectl, seen, target, words):
    kubectl.set(objects=settled(start()))
    with pytest.raises(ValueError, match=words):
        examine_cluster(target, "lab", "greetlab")


def test_a_cluster_must_be_named(kubectl, seen, monkeypatch):
    monkeypatch.delenv("GREETLAB_CONTEXT", raising=False)
    with pytest.raises(ContextNotNamedError, match="the current one is not taken"):
        examine_cluster(SERVER)


def test_what_must_be_seen_is_a_sentence(kubectl, seen):
    kubectl.set(errors={"get pods": FORBIDDEN.format("pods", "list")})
    with pytest.raises(KubectlError, match="cannot list"):
        examine_cluster(SERVER, "lab", "greetlab")


def test_our_job_is_deleted_whatever_happens(kubectl, recorded_pod):
    there = Kubectl("lab")
    with pytest.raises(NotInsideError, match="does not have the image"), \
            inside.beside(there, "greetlab", "nowhere:1"):  # fmt: skip
        pass
    assert [t for t in kubectl.objects if t["kind"] == "Job"] == []
    (made,) = [json.loads(a["body"]) for a in kubectl.asked if a["words"][0] == "create"]
    assert made["spec"]["activeDeadlineSeconds"] == 300
    assert made["metadata"]["labels"]["app.kubernetes.io/part-of"] == "greetlab"


def test_our_job_is_deleted_when_interrupted(kubectl, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(inside, "_running", interrupted)
    kubectl.set(job_pods=[])
    with pytest.raises(KeyboardInterrupt), inside.beside(Kubectl("lab"), "greetlab", "x:1"):
        pass
    assert [t for t in kubectl.objects if t["kind"] == "Job"] == []


def test_a_job_that_may_not_be_made_is_not_deleted_either(kubectl):
    kubectl.set(errors={"create": FORBIDDEN.format("jobs.batch", "create")})
    with pytest.raises(KubectlError, match="cannot create"), \
            inside.beside(Kubectl("lab"), "greetlab", "x:1"):  # fmt: skip
        pass
    assert "delete" not in kubectl.verbs()


@pytest.fixture
def recorded_pod(kubectl):
    kubectl.set(job_pods=[{"kind": "Pod", "status": recorded("image_never_pull")}])


def test_what_is_not_about_a_cluster_is_said():
    done = greetlab("doctor", "web:1", "--context", "lab")
    assert done.status == 2
    assert "are about service/NAME or deployment/NAME" in done.complaint


def test_the_command_prints_it_and_escapes_what_the_cluster_says(kubectl, seen):
    things = start()
    service(things)["ports"][0]["appProtocol"] = "\x1b[2J[red]"
    kubectl.set(objects=settled(things))
    done = greetlab("doctor", SERVER, "--context", "lab", "--namespace", "greetlab")
    assert done.status == 1
    assert "\x1b" not in done.said
    assert "[red]" in done.said
    assert "it is not applied" in done.said
    done = greetlab("doctor", SERVER, "--context", "lab", "--namespace", "greetlab", "--json")
    told = done.document
    assert told["healthy"] is False
    assert told["services"][0]["kind"] == "ClusterIP"


SERVING = policies.End(
    {"app": "web"}, "shop", {"kubernetes.io/metadata.name": "shop"}, "10.0.0.9", (("grpc", 50051),)
)
CALLING = policies.End(
    {"app": "cart"}, "till", {"kubernetes.io/metadata.name": "till", "team": "a"}, "10.1.2.3"
)
HERE = {"podSelector": {"matchLabels": {"app": "cart"}}}
THERE = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
RULES = {
    "everybody": ({}, True),
    "a pod of the policy's own namespace": ({"from": [HERE]}, False),
    "all of that namespace": ({"from": [THERE]}, True),
    "those pods of that namespace": ({"from": [THERE | HERE]}, True),
    "other pods of that namespace": (
        {"from": [THERE | {"podSelector": {"matchLabels": {"app": "web"}}}]}, False
    ),
    "its network": ({"from": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}, True),
    "its network but it": (
        {"from": [{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.2.0/24"]}}]}, False
    ),
    "the port": ({"ports": [{"port": 50051}]}, True),
    "the port by name": ({"ports": [{"port": "grpc"}]}, True),
    "another name": ({"ports": [{"port": "http"}]}, False),
    "a range": ({"ports": [{"port": 50000, "endPort": 50100}]}, True),
    "the same of UDP": ({"ports": [{"port": 50051, "protocol": "UDP"}]}, False),
    "not in": (
        {"from": [{"namespaceSelector": {"matchExpressions": [
            {"key": "team", "operator": "NotIn", "values": ["a"]}]}}]}, False
    ),
    "does not exist": (
        {"from": [{"namespaceSelector": {"matchExpressions": [
            {"key": "gone", "operator": "DoesNotExist"}]}}]}, True
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_what_a_network_policy_lets_in(rule):
    told, expected = RULES[rule]
    policy = {"metadata": {"namespace": "shop", "name": "p"}, "spec": {"ingress": [told]}}
    assert policies.selecting([policy], SERVING, "Ingress") == [policy]
    assert policies.selecting([policy], SERVING, "Egress") == []
    assert policies.lets([policy], SERVING, CALLING, 50051, "Ingress") is expected
