"""Cluster.kube, with the real kubectl, against an API server in memory whose pods are real
greet-servers of this machine. What Kubernetes itself makes of it, tests/kube asks a real one.
"""

import itertools
import subprocess
import threading
import zlib
from pathlib import Path

import pytest
from kube_api import KubeApi, kubeconfig
from kube_world import ROOT, built
from support import wait_until
from test_real_kubectl import KUBECTL

import greetlab as gl
from greetlab import executables
from greetlab.clusters.kube import watch
from greetlab.clusters.kube.clock import ClockSkew
from greetlab.clusters.kube.cluster import NOT_HERE, KubeCluster, KubeError
from greetlab.clusters.kube.kubectl import ContextNotNamedError, Kubectl, KubectlError
from greetlab.clusters.kube.namespace import ForeignNamespaceError
from greetlab.clusters.local import LocalCluster
from greetlab.clusters.sim import SimCluster
from greetlab.trace.consistency import problems

HERE = {"namespace": "greetlab"}
READY = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
RUNNING = [{"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]


class World:
    """What Kubernetes' controllers and kubelets do, for pods that run already, elsewhere."""

    def __init__(self, api, real):
        self.api, self.real = api, real
        self.numbers = itertools.count(1)
        self.lock = threading.RLock()
        api.controller = self.controller

    def controller(self, what, thing):
        name = thing["metadata"]["name"]
        if thing["kind"] == "Pod" and name.startswith("greetclient") and what == "create":
            self.api.put(thing | {"status": {"phase": "Running", "containerStatuses": RUNNING}})
        elif thing["kind"] == "Job":
            self.run_job(thing, what)
        elif thing["kind"] == "Namespace" and what == "delete":
            for one in [o for o in self.api.objects if o["metadata"].get("namespace") == name]:
                self.api.remove(one)
        elif name == "greetserver" and thing["kind"] == "Deployment":
            self.reconcile(restart=what == "patch" and "annotations" in str(thing["spec"]))
        elif thing["kind"] == "Pod" and name.startswith("greetserver"):
            self.reconcile()

    def run_job(self, job, what):
        """Its pods have ended at once, on one of two nodes each."""
        for index in range(job["spec"]["completions"]):
            pod = {
                "kind": "Pod", "apiVersion": "v1",
                "metadata": {
                    "name": f"{job['metadata']['name']}-{index}", **deployed(job),
                    "labels": {
                        "batch.kubernetes.io/job-name": job["metadata"]["name"],
                        "batch.kubernetes.io/job-completion-index": str(index),
                    },
                },
                "spec": job["spec"]["template"]["spec"] | {"nodeName": f"node-{index % 2}"},
                "status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 0}}}]},
            }  # fmt: skip
            (self.api.put if what == "create" else self.api.remove)(pod)

    def pods(self):
        return [
            thing
            for thing in self.api.objects
            if thing["kind"] == "Pod" and thing["metadata"]["name"].startswith("greetserver")
        ]

    def reconcile(self, restart=False):
        with self.lock:
            (deployment,) = [one for one in self.api.objects if one["kind"] == "Deployment"]
            wanted = deployment["spec"]["replicas"]
            for pod in self.pods()[: 99 if restart else 0]:
                self.api.remove(pod)
            for pod in self.pods()[wanted:]:
                self.api.remove(pod)
            while len(self.pods()) < wanted:
                self.api.put(self.pod(deployment))
            self.list_endpoints()

    def pod(self, deployment):
        number = next(self.numbers)
        ip = self.real[(number - 1) % len(self.real)].ip
        return {
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {
                "name": f"greetserver-{number}",
                "creationTimestamp": f"2026-01-01T00:00:{number:02}Z",
                "labels": {"app.kubernetes.io/name": "greetserver"}, **deployed(deployment),
            },
            "spec": deployment["spec"]["template"]["spec"],
            "status": {
                "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": READY,
                "containerStatuses": RUNNING,
            },
        }  # fmt: skip

    def list_endpoints(self):
        for service in [one for one in self.api.objects if one["kind"] == "Service"]:
            name = service["metadata"]["name"]
            self.api.put(
                {
                    "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
                    "addressType": "IPv4", "ports": [{"name": "grpc", "port": 50051}],
                    "metadata": {
                        "name": f"{name}-abc", "labels": {"kubernetes.io/service-name": name},
                        **deployed(service),
                    },
                    "endpoints": [endpoint(pod) for pod in self.pods()],
                }
            )  # fmt: skip


def deployed(thing):
    return {"namespace": thing["metadata"]["namespace"]}


def endpoint(pod):
    ready = pod["status"]["conditions"] == READY and "deletionTimestamp" not in pod["metadata"]
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": not ready},
        "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
    }


@pytest.fixture(scope="module")
def real():
    with gl.Cluster.local(pods=3, seed=41) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def api(tmp_path_factory, real):
    folder = tmp_path_factory.mktemp("kube")
    client = ["env", "KUBERNETES_SERVICE_HOST=10.96.0.1", str(executables.path("greet-client"))]
    with KubeApi() as api, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{KUBECTL.parent}:/usr/bin:/bin")
        patch.setenv("HOME", str(folder))  # kubectl's cache
        patch.delenv("GREETLAB_CONTEXT", raising=False)
        patch.setenv("KUBECONFIG", kubeconfig(folder / "config", api.url))
        patch.setattr(watch, "AGAIN", 0.05)
        # There is no DNS of this cluster: it would say what the slices say.
        patch.setattr(KubeCluster, "_named", KubeCluster._listed)
        patch.setattr(Kubectl, "exec_command", lambda *_: [*client, "--serve"])
        yield api


@pytest.fixture(scope="module")
def shared(api, real):
    """A cluster that was applied, with the world that runs it."""
    world = World(api, real.pods)
    with gl.Cluster.kube(context="lab", apply=True) as cluster:
        cluster.made = world
        yield cluster
    assert [one for one in api.objects if one["metadata"].get("namespace")] == []
    assert [one for one in api.objects if one["kind"] == "Namespace"] == []


@pytest.fixture
def cluster(shared):
    if shared._listed() != 3:
        shared.scale(3)
    return shared


def watching(cluster):
    return cluster.channel("watch:///greetserver-headless", policy="round_robin")


def test_it_is_what_the_manifests_say(cluster, api):
    assert [pod.state for pod in cluster.pods] == ["serving"] * 3
    assert all(pod.listed for pod in cluster.pods)
    assert cluster.port == 50051
    assert cluster.context == "lab"
    kinds = sorted(one["kind"] for one in api.objects if one["metadata"].get("namespace"))
    assert kinds.count("Service") == 2
    assert kinds.count("NetworkPolicy") == 3
    assert repr(cluster).startswith("KubeCluster [KUBE] · 3 pods")


def test_calls_and_the_cluster_s_doings_are_one_trace_with_the_badge(cluster):
    client = watching(cluster).wait_ready(all=True)
    calls = client.greet("Ada", times=6)
    assert calls.ok == 6
    assert calls.world == client.world == client.trace.world == "KUBE"
    assert "KUBE" in [text.get_text() for text in gl.plot.requests(calls).texts]
    assert "KUBE" in [text.get_text() for text in gl.plot.requests(client.trace).texts]
    assert b"KUBE" in zlib.decompress(gl.Flow(client.trace).data)
    assert client.trace.last("Picked").causes()[-1].kind.startswith("Endpoints")
    assert client.trace.last("EndpointsChanged").who == "cluster"


def test_scale_is_waited_for_and_who_watches_is_told(cluster):
    client = watching(cluster).wait_ready(all=True)
    cluster.scale(1)
    assert [pod.listed for pod in cluster.pods] == [True]
    wait_until(lambda: client.trace.last("EndpointsChanged").count == 1)
    stopped = [event.pod for event in client.trace.of("PodChanged", change="stopped")]
    assert len(stopped) == 2


def test_a_killed_pod_is_told_before_it_is_gone_and_has_a_successor(cluster):
    client = watching(cluster).wait_ready(all=True)
    victim = cluster.pods[0].name
    cluster.kill(victim)
    cluster.wait_ready()
    assert victim not in [pod.name for pod in cluster.pods]
    assert len(cluster.pods) == 3
    told = [event.change for event in client.trace.of("PodChanged", pod=victim)]
    assert told == ["started", "killed"]


def test_a_drained_one_is_draining_until_it_is_gone(cluster, api):
    client = watching(cluster).wait_ready(all=True)
    pod = cluster.made.pods()[0]
    name = pod["metadata"]["name"]
    api.put(pod | {"metadata": pod["metadata"] | {
        "deletionTimestamp": "2026-01-01T00:01:00Z", "deletionGracePeriodSeconds": 20,
    }})  # fmt: skip
    cluster.made.list_endpoints()
    # Pods and slices are watched apart, so either may be heard of first.
    wait_until(lambda: client.trace.last("EndpointsChanged").count == 2)
    wait_until(lambda: client.trace.last("PodChanged").change == "draining")
    (view,) = [one for one in cluster.pods if one.name == name]
    assert (view.state, view.listed) == ("draining", False)
    cluster.drain(name)  # as somebody did already: it is told once
    wait_until(lambda: name not in [one.name for one in cluster.pods])
    told = [event.change for event in client.trace.of("PodChanged", pod=name)]
    assert told == ["started", "draining", "stopped"]


def test_one_that_is_not_ready_any_more_is_told_so(cluster, api):
    client = watching(cluster).wait_ready(all=True)
    pod = cluster.made.pods()[0]
    name = pod["metadata"]["name"]
    unready = [{"type": "Ready", "status": "False"}]
    api.put(pod | {"status": pod["status"] | {"conditions": unready}})
    wait_until(lambda: client.trace.last("PodChanged").change == "unready")
    cluster.made.list_endpoints()
    with pytest.raises(TimeoutError, match=f"{name} starting"):
        cluster.wait_ready(timeout=0.3)
    api.put(pod)
    cluster.made.list_endpoints()
    assert cluster.wait_ready() is cluster
    assert client.trace.last("PodChanged", pod=name).change == "ready"


def test_a_rollout_replaces_all(cluster):
    before = {pod.name for pod in cluster.pods}
    cluster.rollout(max_surge=0, max_unavailable=2)
    wait_until(lambda: not before & {pod.name for pod in cluster.pods})
    spec = cluster._deployment()["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 2}
    with pytest.raises(ValueError, match="both 0"):
        cluster.rollout(max_surge=0)


@pytest.mark.parametrize("how", ["hang up", "forget"])
def test_a_watch_that_ends_is_begun_again(cluster, api, how):
    client = watching(cluster).wait_ready(all=True)
    if how == "forget":
        api.forgotten = len(api.events) + 1
    api.hang_up()
    cluster.scale(2, wait=10)
    assert len(cluster.pods) == 2
    wait_until(lambda: client.trace.last("EndpointsChanged").count == 2)
    api.forgotten = 0


def test_slow_and_fail_are_told_in_the_pod(cluster, monkeypatch):
    said = []
    monkeypatch.setattr(Kubectl, "execute", lambda self, *words: said.append(words) or "")
    client = watching(cluster)
    pod = cluster.pods[0].name
    cluster.slow(pod, 0.2)
    cluster.slow(pod, "exponential 20ms")
    cluster.fail(pod, 0.5, "ABORTED", pushback=-1)
    cluster.set_serving(pod, False)
    tell = (pod, "greetlab", "greet-server", "tell", "@greetlab")
    assert said == [
        (*tell, "--latency=200ms"),
        (*tell, "--latency=exponential 20ms"),
        (*tell, "--error-rate=0.5", "--error-code=ABORTED", "--pushback=never"),
        (*tell, "--serving=false"),
    ]
    assert client.trace.last("PodChanged").change == "NOT_SERVING"
    with pytest.raises(ValueError, match="no pod 'pod-1': there is greetserver-"):
        cluster.slow("pod-1", 1)


FLEET = ["--policy=round_robin", "--wait-ready", "--cooldown=1s", "--connection-per-call"]


@pytest.fixture
def jobs(api, real, monkeypatch):
    """Every pod of a Job has the log of the same run; the Jobs that were made."""
    target = "static:" + ",".join(f"{pod.ip}:50051" for pod in real.pods)
    command = [executables.path("greet-client"), target, "--count=6", *FLEET[:2], "--trace=-"]
    done = subprocess.run(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
        env={"KUBERNETES_SERVICE_HOST": "10.96.0.1"},
    )  # fmt: skip
    monkeypatch.setattr(api, "log", done.stdout)
    made = []
    create = Kubectl.create
    monkeypatch.setattr(Kubectl, "create", lambda self, one: made.append(one) or create(self, one))
    return made


def test_a_fleet_is_a_job_of_clients_whose_traces_are_one(cluster, api, jobs):
    fleet = cluster.fleet(
        "greetserver-headless", clients=4, requests=6, policy="round_robin", wait_ready=True
    )
    (job,) = jobs
    spec = job["spec"]
    assert (spec["completions"], spec["parallelism"]) == (4, 4)
    assert spec["completionMode"] == "Indexed"
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    labels = {"batch.kubernetes.io/job-name": job["metadata"]["name"]}
    assert spread["labelSelector"]["matchLabels"] == labels
    assert [client.name for client in fleet.clients] == [f"client-{n}" for n in (1, 2, 3, 4)]
    assert [client.node for client in fleet.clients] == ["node-0", "node-1"] * 2
    assert fleet.by_status == {"OK": 24}
    assert fleet.by_pod == {"pod-1": 8, "pod-2": 8, "pod-3": 8}
    assert fleet.table["client-3"] == {"pod-1": 2, "pod-2": 2, "pod-3": 2}
    assert fleet.trace.world == "KUBE"
    assert problems(fleet.trace) == []
    assert "4 clients: of 24 requests" in gl.plot.requests(fleet.trace).alt
    assert repr(fleet).startswith("Fleet [KUBE] · 4 clients on 2 nodes, their clocks ± ")
    left = [one["metadata"]["name"] for one in api.objects if one["kind"] in ("Job", "Pod")]
    assert [name for name in left if name.startswith(job["metadata"]["name"])] == []
    clients = [name for name in left if name.startswith("greetclient")]
    assert len(clients) == 1, "those that were asked for the other nodes' clocks are gone"


def test_each_node_s_clock_is_measured_once_and_set_right(cluster, jobs, monkeypatch):
    asked = []
    skews = {"node-0": ClockSkew(0.0, 0.001, 100.0), "node-1": ClockSkew(1.0, 0.002, 200.0)}
    monkeypatch.setattr(cluster, "_clock_of", lambda node: asked.append(node) or skews[node])
    fleet = cluster.fleet("greetserver-headless", clients=4, requests=6)
    assert sorted(asked) == ["node-0", "node-1"]
    starts = [fleet.trace.of(who=client.name).seconds[0] for client in fleet.clients]
    assert starts[0] - starts[1] == pytest.approx(100)
    assert starts[0] == starts[2]
    assert fleet.error == pytest.approx(0.003)
    assert fleet.clients[1].clock == skews["node-1"]


def test_a_client_that_fails_does_not_end_the_others(cluster, jobs):
    cluster.fleet("greetserver", clients=2)
    assert jobs[0]["spec"]["backoffLimitPerIndex"] == 0
    assert "backoffLimit" not in jobs[0]["spec"]


def test_a_fleet_is_told_what_a_channel_is(cluster, jobs, real):
    cluster.fleet(
        "greetserver", clients=1, requests=7, concurrency=2, every="exponential 20ms", port=1,
        timeout=0.5, wait_ready=True, cooldown=1.0, connection_per_call=True, frames=False,
        policy={"least_request": {"choiceCount": 3}},
    )  # fmt: skip
    (container,) = jobs[0]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [
        "dns:///greetserver:1", "--count=7", "--concurrency=2", "--quiet", "--deadline=500ms",
        "--interval=exponential 20ms", "--wait-ready",
        '--service-config={"loadBalancingConfig": [{"least_request": {"choiceCount": 3}}]}',
        "--cooldown=1s", "--connection-per-call", "--trace", "-",
    ]  # fmt: skip
    target = f"static:{real.pods[0].ip}:50051"
    said = [executables.path("greet-client"), target, *container["args"][1:-2]]
    assert "7 calls · 7 OK" in subprocess.run(said, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"engine": "grpc"}, "nothing of gRPC's libraries"),
        ({"source_ip": "10.0.0.1"}, "each client's address is its pod's"),
        ({"seed": 7}, "would not be several"),
        ({"clients": 0}, "clients 0"),
        ({"requests": 0}, "requests 0"),
        ({"service": "watch:///greetserver"}, "are told nothing"),
    ],
)
def test_what_a_fleet_cannot_be_told_is_refused_before_a_job_is_made(cluster, jobs, options, why):
    with pytest.raises(ValueError, match=why):
        cluster.fleet(**{"service": "greetserver", **options})
    assert jobs == []


def test_what_it_cannot_do_says_why_not(cluster):
    can = cluster.capabilities
    assert can["scale"] == can["slow"] == can["fleet"] == ""
    assert "no pod comes back" in can["restart"]
    with pytest.raises(AttributeError, match="restart: in Kubernetes no pod comes back"):
        cluster.restart("x")
    with pytest.raises(AttributeError, match="has no 'fly'"):
        cluster.fly()
    with pytest.raises(ValueError, match="watches watch:///greetserver"):
        cluster.channel("watch:///greetserver", port=1)


@pytest.mark.parametrize("other", [LocalCluster, SimCluster])
def test_all_that_the_other_worlds_have_is_there_or_says_why_not(other):
    inside = {"make_pods", "publish", "start_pods", "tell"}
    there = {name for name in dir(other) if not name.startswith("_")} - inside
    assert there <= set(dir(KubeCluster)) | set(NOT_HERE)
    assert not set(NOT_HERE) & set(dir(KubeCluster))


def test_the_skew_of_the_clocks_is_measured(cluster):
    skew = cluster.clock
    assert abs(skew.ahead) <= skew.error + 0.05
    assert 0 < skew.error < 1
    assert "the client's clock is" in str(skew)
    assert "±" in str(skew)


def test_a_context_must_be_named(api):
    with pytest.raises(ContextNotNamedError, match="Name its context"):
        gl.Cluster.kube()


def test_nothing_is_made_where_something_is(shared, api):
    before = list(map(repr, api.objects))
    with pytest.raises(KubeError, match="is there already, and apply=True makes one"):
        gl.Cluster.kube(context="lab", apply=True)
    with pytest.raises(KubeError, match="no namespace other in context lab: apply=True makes it"):
        gl.Cluster.kube(context="lab", namespace="other")
    assert list(map(repr, api.objects)) == before


def test_a_namespace_of_somebody_else_is_left_alone(shared, api):
    theirs = {"kind": "Namespace", "metadata": {"name": "theirs", "labels": {}}}
    api.put(theirs)
    for apply in (False, True):
        with pytest.raises(ForeignNamespaceError):
            gl.Cluster.kube(context="lab", namespace="theirs", apply=apply)
    assert theirs in api.objects
    api.remove(theirs)


def test_one_that_only_looks_leaves_all_but_its_client(cluster, api):
    before = sorted(one["metadata"]["name"] for one in api.objects)
    with gl.Cluster.kube(context="lab") as other:
        assert [pod.name for pod in other.pods] == [pod.name for pod in cluster.pods]
        clients = [o for o in api.objects if o["metadata"]["name"].startswith("greetclient-")]
        assert len(clients) == 2
    assert sorted(one["metadata"]["name"] for one in api.objects) == before
    other.close()
    with pytest.raises(ValueError, match="is closed"):
        other.scale(1)


def test_a_client_that_cannot_start_is_told_and_taken_away(cluster, api, monkeypatch):
    waiting = [{"image": "greetlab:9", "state": {"waiting": {"reason": "ErrImagePull"}}}]
    before = len(api.objects)

    def controller(what, thing):
        if what == "create":
            api.put(thing | {"status": {"phase": "Pending", "containerStatuses": waiting}})

    monkeypatch.setattr(api, "controller", controller)
    with pytest.raises(KubeError, match="does not have the image greetlab:9"):
        gl.Cluster.kube(context="lab", image="greetlab:9")
    assert len(api.objects) == before


def test_without_a_control_socket_it_says_so(cluster, api):
    for thing in [*cluster.made.pods(), *(o for o in api.objects if o["kind"] == "Deployment")]:
        spec = thing["spec"].get("template", thing)["spec"]
        monkey = [arg for arg in spec["containers"][0]["args"] if "--control" not in arg]
        spec["containers"][0]["args"] = monkey
        api.put(thing)
    pod = cluster.pods[0].name
    wait_until(lambda: not cluster._control_of(cluster._pods[pod]))
    with pytest.raises(KubeError, match="without --control"):
        cluster.slow(pod, 1)
    assert "without --control" in cluster.capabilities["slow"]


def test_the_manifests_come_with_the_package():
    there = Path(executables.__file__).parent / "_k8s"
    kinds = [thing["kind"] for thing in built(there / "overlays" / "world")]
    assert kinds == [thing["kind"] for thing in built(ROOT / "k8s" / "overlays" / "world")]


def test_kubectl_s_own_words_are_told(api):
    with pytest.raises(KubectlError, match="no context 'other' in the kubeconfig"):
        gl.Cluster.kube(context="other")
