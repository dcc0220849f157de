"""If you run one file, run this: the whole mission in five tests."""

import pytest

import greetlab as gl


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=7) as cluster:
        yield cluster


def test_a_cluster_ip_is_one_address_and_a_headless_service_is_every_pod(cluster):
    pods = {pod.ip for pod in cluster.pods}
    assert cluster.lookup("greetserver").addresses == [cluster.cluster_ip]
    assert set(cluster.lookup("greetserver-headless").addresses) == pods


@pytest.mark.parametrize("policy", ["pick_first", "round_robin"])
def test_on_the_cluster_ip_one_pod_takes_every_request_whatever_the_policy(cluster, policy):
    with cluster.channel("greetserver", policy=policy) as sticky:
        calls = sticky.greet("Ada", "Lovelace", times=60)
    assert calls.ok == 60
    assert list(calls.by_pod.values()) == [60]
    assert len(calls.connections) == 1


def test_headless_with_pick_first_is_still_one_pod(cluster):
    with cluster.channel("greetserver-headless") as sticky:
        assert list(sticky.greet("Ada", times=60).by_pod.values()) == [60]


def test_headless_with_round_robin_shares_them_evenly(cluster):
    with cluster.channel("greetserver-headless", policy="round_robin") as fair:
        fair.wait_ready(all=True)
        calls = fair.greet("Ada", "Lovelace", times=60)
    assert calls.by_pod == {"pod-1": 20, "pod-2": 20, "pod-3": 20}
    assert len(calls.connections) == 3
    assert calls[0].result.startswith("Hello, Ada Lovelace from pod: name(pod-")


def test_new_pods_get_nothing_while_the_connections_are_healthy(cluster):
    with cluster.channel("greetserver-headless", policy="round_robin") as fair:
        fair.wait_ready(all=True)
        cluster.scale(5)
        assert len(cluster.lookup("greetserver-headless").addresses) == 5
        assert len(fair.greet("Ada", times=60).by_pod) == 3
    cluster.scale(3)
