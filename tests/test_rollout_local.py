"""Pods that come and go as Kubernetes has it, on real processes; see test_rollout_sim.py."""

import threading

import pytest

import greetlab as gl


def fair(cluster, **options):
    return cluster.channel("greetserver-headless", policy="round_robin", **options)


def changes(channel, pod):
    return [e.change for e in channel.trace.of("PodChanged") if e.pod == pod]


def test_who_looked_too_early_stays_with_what_it_found():
    """Found on a real cluster: 12/0/0, then 450 more on one pod, with the cure in place."""
    with gl.Cluster.local(pods=3, start_interval=0.4) as cluster:
        assert [pod.state for pod in cluster.pods] == ["serving", "starting", "starting"]
        early = fair(cluster, cooldown=0.1).wait_ready(all=True)
        assert early.greet(times=6).by_pod["pod-1"] == 6
        cluster.wait_ready()
        assert early.greet(times=6).by_pod["pod-1"] == 6
        late = fair(cluster).wait_ready(all=True)
        assert late.greet(times=6).by_pod == {"pod-1": 2, "pod-2": 2, "pod-3": 2}
        # The cures: to wait until the set is whole,
        early.wait_ready(pods=3)
        assert early.greet(times=6).by_pod == {"pod-1": 2, "pod-2": 2, "pod-3": 2}
        assert changes(early, "pod-3") == ["started", "ready"]


def test_connections_that_end_cure_it():
    with gl.Cluster.local(pods=3, start_interval=0.2, max_connection_age=0.8) as cluster:
        early = fair(cluster, cooldown=0.1).wait_ready(all=True)
        cluster.wait_ready()
        calls = early.load(300, 1, every=0.01)
        assert calls.ok == 300
        assert set(calls.by_pod) == {"pod-1", "pod-2", "pod-3"}
        assert all(count > 30 for count in calls.by_pod.values())


def test_a_pod_that_is_not_well_is_off_the_endpoints_until_it_is_well_again():
    with gl.Cluster.local(pods=2, readiness_delay=0.1, endpoint_lag=0.1).wait_ready() as cluster:
        channel = fair(cluster).wait_ready(all=True)
        cluster.set_serving("pod-1", False)
        assert cluster.pods[0].listed  # nobody has found out yet
        assert cluster._pods.wait(lambda: not cluster.pods[0].listed, 10)
        assert channel.greet(times=4).by_pod == {"pod-1": 2, "pod-2": 2}
        cluster.set_serving("pod-1", True)
        cluster.wait_ready(pods=2)
        assert changes(channel, "pod-1")[-4:] == ["NOT_SERVING", "unready", "SERVING", "ready"]


def test_the_order_of_a_deletion():
    with gl.Cluster.local(pods=2, endpoint_lag=0.1, pre_stop=0.4) as cluster:
        channel = fair(cluster).wait_ready(all=True)
        cluster.drain("pod-1")
        assert (cluster.pods[0].state, cluster.pods[0].listed) == ("draining", True)
        assert cluster._pods.wait(lambda: not cluster.pods[0].listed, 10)
        # In its preStop it serves on, and takes new connections, too.
        assert channel.greet(times=4).by_pod == {"pod-1": 2, "pod-2": 2}
        assert cluster._pods.wait(lambda: "told to end" in changes(channel, "pod-1"), 10)
        calls = channel.load(100, 1, every=0.005)
        # What meets gRPC's C++ server in the moment of its end is CANCELLED (grpc#41785).
        assert set(calls.by_status) <= {"OK", "CANCELLED"}
        assert calls.ok >= 99
        lost = channel.trace.last("ConnectionLost")
        assert "pod-1 is told to end" in str(lost.why())


def test_a_rollout_loses_nothing_and_leaves_new_pods():
    """Connections end more often than a preStop is long: so nobody is left on a pod when it is told
    to end, when gRPC's C++ server may cancel what comes (grpc#41785)."""
    with gl.Cluster.local(
        pods=3, readiness_delay=0.2, endpoint_lag=0.1, pre_stop=1, max_connection_age=0.2
    ).wait_ready() as cluster:
        channel = fair(cluster, cooldown=0.1).wait_ready(all=True)
        done = []
        load = threading.Thread(target=lambda: done.append(channel.load(400, 1, every=0.005)))
        load.start()
        cluster.rollout()
        cluster.wait_rollout()
        load.join()
        assert done[0].ok == 400
        serving = {pod.name for pod in cluster.pods if pod.state == "serving"}
        assert serving == {"pod-4", "pod-5", "pod-6"}
        assert set(channel.wait_ready(pods=3).greet(times=6).by_pod) >= serving


def test_a_rollout_at_once_is_over_when_it_returns():
    with gl.Cluster.local(pods=2) as cluster:
        cluster.rollout(max_surge=0, max_unavailable=1)
        cluster.wait_rollout(timeout=0)
        assert {pod.name for pod in cluster.pods if pod.state == "serving"} == {"pod-3", "pod-4"}
        with pytest.raises(ValueError, match="both 0: no pod could ever be replaced"):
            cluster.rollout(max_surge=0)


def test_waiting_in_vain_says_how_the_pods_are():
    with gl.Cluster.local(pods=1, readiness_delay=1000) as cluster:
        why = r"1 pods are not ready within 0\.1 s; the pods are pod-1 starting \(not listed\)"
        with pytest.raises(TimeoutError, match=why):
            cluster.wait_ready(1, timeout=0.1)
        cluster.rollout()
        with pytest.raises(TimeoutError, match="the rollout is not over within 0"):
            cluster.wait_rollout(timeout=0)


def test_waiting_ends_when_the_cluster_is_closed():
    cluster = gl.Cluster.local(pods=1, readiness_delay=1000)
    threading.Timer(0.1, cluster.close).start()
    with pytest.raises(ValueError, match="closed while it was waited for"):
        cluster.wait_ready()
