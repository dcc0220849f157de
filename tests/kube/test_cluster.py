"""Cluster.kube on a real Kubernetes: the one whose context the environment's GREETLAB_CONTEXT
names, in a namespace of its own that is gone afterwards. Its nodes have the lab's image; another
tag than this version's is told by GREETLAB_IMAGE.
"""

import os
import threading
import time

import pytest

import greetlab as gl
from greetlab.trace.consistency import problems

CONTEXT = os.environ.get("GREETLAB_CONTEXT", "")
NAMESPACE = "greetlab-test"

pytestmark = pytest.mark.skipif(
    not CONTEXT, reason="no Kubernetes is named: GREETLAB_CONTEXT=... runs this"
)


@pytest.fixture(scope="module")
def shared():
    options = {"namespace": NAMESPACE, "apply": True, "image": os.environ.get("GREETLAB_IMAGE")}
    with gl.Cluster.kube(**options) as cluster:
        yield cluster
    assert gl.kube.Kubectl(CONTEXT).get("namespaces", name=NAMESPACE) == []


@pytest.fixture
def cluster(shared):
    shared.scale(3)
    return shared.wait_ready()


def open_channel(cluster, service="greetserver-headless", policy="round_robin", **options):
    return cluster.channel(service, policy=policy, **options)


class Load:
    """Calls that go on while something is done to the pods."""

    def __init__(self, client, seconds):
        self.calls = None
        self.client, self.n = client, seconds * 50
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        self.calls = self.client.load(self.n, every=0.02)

    def end(self):
        self.thread.join()
        return self.calls


def test_a_cluster_ip_is_sticky_and_a_headless_service_shares(cluster):
    # Ready and listed is not yet known to kube-proxy: until then the ClusterIP refuses (seen).
    sticky = cluster.channel("greetserver").wait_ready().greet("Ada", times=60)
    assert list(sticky.by_pod.values()) == [60]
    fair = open_channel(cluster).wait_ready(all=True).greet("Ada", times=60)
    assert list(fair.by_pod.values()) == [20, 20, 20]
    assert set(fair.by_pod) == {pod.name for pod in cluster.pods}


def test_names_are_what_the_cluster_s_dns_says(cluster):
    assert cluster.lookup("greetserver").addresses == [cluster.cluster_ip]
    pods = {pod.ip for pod in cluster.pods}
    assert set(cluster.lookup("greetserver-headless").addresses) == pods
    ports = [
        record.port for record in cluster.lookup("_grpc._tcp.greetserver-headless", ["SRV"]).srv
    ]
    assert ports == [cluster.port] * 3


def test_new_pods_get_nothing_from_who_looked_before_and_their_share_from_who_is_told(cluster):
    looked, told = open_channel(cluster), open_channel(cluster, "watch:///greetserver-headless")
    for client in (looked, told):
        client.wait_ready(all=True)
    cluster.scale(5)
    told.wait_ready(pods=5)
    assert len(looked.greet(times=60).by_pod) == 3
    assert list(told.greet(times=60).by_pod.values()) == [12] * 5
    assert told.trace.last("EndpointsChanged", service="greetserver-headless").count == 5


@pytest.mark.parametrize("how", ["kill", "drain"])
def test_the_end_of_a_pod_is_the_cause_of_its_connection_s(cluster, how):
    client = open_channel(cluster, cooldown=1.0).wait_ready(all=True)
    load = Load(client, 12)
    victim = cluster.pods[0]
    getattr(cluster, how)(victim.name)
    assert load.end().ok >= 590
    lost = client.trace.first("ConnectionLost")
    kinds = [(event.kind, event.fields.get("pod")) for event in lost.causes()]
    assert kinds[-1] == ("PodChanged", victim.name)
    assert victim.name not in [pod.name for pod in cluster.wait_ready().pods]


def test_a_rollout_loses_no_call(cluster):
    before = {pod.name for pod in cluster.pods}
    client = open_channel(cluster, cooldown=1.0).wait_ready(all=True)
    load = Load(client, 20)
    cluster.rollout()
    cluster.wait_rollout()
    assert not before & {pod.name for pod in cluster.pods if pod.state == "serving"}
    calls = load.end()
    assert calls.by_status == {"OK": 1000}
    assert len(set(calls.by_pod) - before) == 3


def test_pods_are_hurt_by_their_control_socket(cluster):
    client = open_channel(cluster).wait_ready(all=True)
    slow, failing, unready = [pod.name for pod in cluster.pods]
    cluster.slow(slow, 0.1)
    cluster.fail(failing, 1.0, "ABORTED")
    calls = client.greet(times=30)
    assert calls.by_status == {"OK": 20, "ABORTED": 10}
    assert sum(calls.latency_ns > 90e6) == 10
    cluster.slow(slow, 0)
    cluster.fail(failing, 0)
    cluster.set_serving(unready, False)
    began = time.monotonic()
    while cluster._listed() > 2:
        assert time.monotonic() - began < 20
        time.sleep(0.1)
    assert len(client.greet(times=30).by_pod) == 3  # who is connected does not care
    cluster.set_serving(unready, True)
    cluster.wait_ready()


def test_a_fleet_s_traces_are_one(cluster):
    fair = cluster.fleet(
        "greetserver-headless", clients=6, requests=30, policy="round_robin", wait_ready=True
    )
    assert fair.by_status == {"OK": 180}
    assert all(set(row.values()) == {10} for row in fair.table.values())
    assert set(fair.by_pod) == {pod.name for pod in cluster.pods}
    assert problems(fair.trace) == []
    assert len({client.pod for client in fair.clients}) == 6
    print(fair)
    sticky = cluster.fleet("greetserver", clients=6, requests=30)
    assert all(sorted(row.values())[-1] == 30 for row in sticky.table.values())


def test_a_client_of_a_fleet_whose_calls_fail_ends_no_other(cluster):
    cluster.fail(cluster.pods[0].name, 1.0, "ABORTED")
    try:
        fleet = cluster.fleet(
            "greetserver-headless", clients=4, requests=9, policy="round_robin", wait_ready=True
        )
    finally:
        cluster.fail(cluster.pods[0].name, 0)
    assert fleet.by_status["ABORTED"] + fleet.by_status["OK"] == 36
    assert all("ABORTED" in client.did.by_status for client in fleet.clients)


def test_nobody_is_there(cluster):
    cluster.scale(0)
    assert cluster.lookup("greetserver-headless").status == "nxdomain"
    assert open_channel(cluster).greet(times=2).by_status == {"UNAVAILABLE": 2}


def test_the_clocks_are_compared(cluster):
    skew = cluster.clock
    assert 0 < skew.error < 1
    print(skew)
