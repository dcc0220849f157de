"""Pods that come and go as Kubernetes has it, in the sim: one after the other, with a readiness
probe, endpoints that lag, a preStop, and rolling updates."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import greetlab as gl

SEEDS = range(5)


def fair(cluster, **options):
    return cluster.channel("greetserver-headless", policy="round_robin", **options)


def changes(cluster, pod):
    """What became of a pod: (seconds, what)."""
    return [(round(e.seconds, 3), e.change) for e in cluster.trace.of("PodChanged") if e.pod == pod]


def listed(cluster):
    """When a list of the headless service was published, and how long it was."""
    events = cluster.trace.of("EndpointsChanged")
    return [(round(e.seconds, 3), e.count) for e in events if e.service.endswith("-headless")]


# The cold start.


def cold(seed, **options):
    """A client that is there when the first of three pods is ready, two seconds apart."""
    cluster = gl.Cluster.sim(pods=3, seed=seed, readiness_delay=1, start_interval=2, **options)
    cluster.wait_ready(pods=1)
    return cluster, fair(cluster, cooldown=1.0).wait_ready(all=True)


def test_pods_become_ready_one_after_the_other():
    cluster = gl.Cluster.sim(pods=3, seed=1, readiness_delay=1, start_interval=2)
    assert [(pod.state, pod.listed) for pod in cluster.pods] == [("starting", False)] * 3
    cluster.wait_ready()
    assert cluster.seconds == 5
    assert listed(cluster) == [(0, 0), (1, 1), (3, 2), (5, 3)]
    assert changes(cluster, "pod-3") == [(0, "started"), (5, "ready")]
    assert "pod-3 is ready" in str(cluster.trace.story())


@pytest.mark.parametrize("seed", SEEDS)
def test_who_looked_too_early_stays_with_what_it_found(seed):
    """Found on a real cluster: 12/0/0, then 450 more on one pod, with the cure in place."""
    cluster, early = cold(seed)
    cluster.wait_ready()
    assert set(early.greet(times=30).by_pod) == {"pod-1"}
    cluster.run(seconds=1700)  # after 30 minutes without a call it would look again
    assert set(early.greet(times=30).by_pod) == {"pod-1"}
    late = fair(cluster).wait_ready(all=True)
    assert late.greet(times=30).by_pod == {"pod-1": 10, "pod-2": 10, "pod-3": 10}


@pytest.mark.parametrize("seed", SEEDS)
def test_connections_that_end_cure_it(seed):
    cluster, early = cold(seed, max_connection_age=10.0)
    cluster.run(seconds=11 + 1)  # the age and its tenth, and a cooldown
    assert early.greet(times=30).by_pod == {"pod-1": 10, "pod-2": 10, "pod-3": 10}


@pytest.mark.parametrize("seed", SEEDS)
def test_so_does_waiting_until_the_set_is_whole(seed):
    _, early = cold(seed)
    early.wait_ready(pods=3)
    assert early.greet(times=30).by_pod == {"pod-1": 10, "pod-2": 10, "pod-3": 10}


def test_pods_that_never_become_ready_are_told_of():
    cluster = gl.Cluster.sim(pods=2, seed=1, readiness_delay=5)
    cluster.set_serving("pod-2", False)
    why = (
        r"all pods are not ready within 8.* pod-1 serving \(listed\), pod-2 starting \(not listed\)"
    )
    with pytest.raises(TimeoutError, match=why):
        cluster.wait_ready(timeout=8)
    cluster.set_serving("pod-2", True)
    cluster.wait_ready()
    assert changes(cluster, "pod-2")[-1] == (13, "ready")


# Readiness.


def test_a_pod_that_is_not_well_is_off_the_endpoints_and_keeps_its_connections():
    cluster = gl.Cluster.sim(pods=3, seed=1, readiness_delay=4, endpoint_lag=1).wait_ready()
    channel = fair(cluster).wait_ready(all=True)
    began = cluster.seconds
    cluster.set_serving("pod-1", False)
    cluster.run(seconds=10)
    assert [pod.listed for pod in cluster.pods] == [False, True, True]
    assert listed(cluster)[-1] == (round(began + 5, 3), 2)
    assert channel.greet(times=30).by_pod == {"pod-1": 10, "pod-2": 10, "pod-3": 10}
    assert set(fair(cluster).wait_ready(all=True).greet(times=30).by_pod) == {"pod-2", "pod-3"}
    cluster.set_serving("pod-1", True)
    cluster.wait_ready(pods=3)
    assert [what for _, what in changes(cluster, "pod-1")][-4:] == [
        "NOT_SERVING", "unready", "SERVING", "ready",
    ]  # fmt: skip


def test_the_end_of_a_pod_that_is_well_again_in_time_is_not_listed():
    cluster = gl.Cluster.sim(pods=1, seed=1, endpoint_lag=2)
    cluster.set_serving("pod-1", False)
    cluster.run(seconds=1)
    cluster.set_serving("pod-1", True)
    cluster.run(seconds=5)
    assert listed(cluster) == [(0, 1)]


# The end of a pod.


def test_the_order_of_a_deletion():
    cluster = gl.Cluster.sim(pods=2, seed=1, endpoint_lag=1, pre_stop=5, grace=20)
    fair(cluster).wait_ready(all=True)
    began = round(cluster.seconds, 3)
    cluster.drain("pod-1")
    cluster.run(seconds=60)
    assert changes(cluster, "pod-1")[1:] == [
        (began, "draining"),
        (round(began + 5, 3), "told to end"),
        (round(began + 25, 3), "stopped"),
    ]
    assert listed(cluster)[-1] == (round(began + 1, 3), 1)
    goodbye = cluster.trace.last("GoAwaySent")
    assert round(goodbye.seconds, 3) == round(began + 5, 3)
    assert "pod-1 is told to end" in str(goodbye.why())


@pytest.mark.parametrize(("pre_stop", "answered"), [(5, True), (0, False)])
def test_a_pod_in_its_pre_stop_takes_new_connections(pre_stop, answered):
    cluster = gl.Cluster.sim(pods=1, seed=1, endpoint_lag=3, pre_stop=pre_stop)
    cluster.drain("pod-1")
    cluster.run(seconds=2)  # listed still
    calls = fair(cluster).greet(times=1)
    assert (calls.ok == 1) is answered


def test_a_pod_killed_in_its_pre_stop_is_dead():
    cluster = gl.Cluster.sim(pods=1, seed=1, pre_stop=5)
    cluster.drain("pod-1")
    cluster.kill("pod-1")
    cluster.run(seconds=60)
    assert [what for _, what in changes(cluster, "pod-1")] == ["started", "draining", "killed"]


# Rolling updates.


def rolled(seed, *, cooldown=1.0, wait=60.0, dials_anew=False, **options):
    """How many calls at 40/s failed around a rollout, `wait` seconds after the channel was made."""
    cluster = gl.Cluster.sim(pods=3, seed=seed, readiness_delay=2, **options).wait_ready()
    if dials_anew:  # through the ClusterIP, as curl does
        channel = cluster.channel("greetserver", connection_per_call=True)
    else:
        channel = fair(cluster, cooldown=cooldown).wait_ready(all=True)
    cluster.run(seconds=wait)
    load = channel.start(2400, every=1 / 40)
    cluster.run(seconds=5)
    cluster.rollout()
    cluster.wait_rollout()
    cluster.run(seconds=120)
    assert {pod.name for pod in cluster.pods if pod.state == "serving"} == {
        "pod-4", "pod-5", "pod-6",
    }  # fmt: skip
    calls = channel.calls(load)
    return len(calls) - calls.ok


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rollout_with_a_pre_stop_loses_nothing(seed):
    assert rolled(seed, endpoint_lag=1, pre_stop=5) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pre_stop_shorter_than_the_endpoints_lag_loses_calls_that_dial_anew(seed):
    assert rolled(seed, endpoint_lag=4, pre_stop=1, dials_anew=True) > 0
    assert rolled(seed, endpoint_lag=4, pre_stop=5, dials_anew=True) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_young_client_with_gRPCs_cooldown_loses_calls_in_a_quick_rollout(seed):  # noqa: N802
    """Found on a real cluster: 179 of 1,800. All its addresses died before it might ask again."""
    assert rolled(seed, endpoint_lag=1, pre_stop=5, cooldown=30.0, wait=0) > 0
    assert rolled(seed, endpoint_lag=1, pre_stop=5, cooldown=1.0, wait=0) == 0


@settings(max_examples=150, deadline=None)
@given(
    pods=st.integers(0, 6),
    surge=st.integers(0, 3),
    unavailable=st.integers(0, 3),
    delay=st.sampled_from([0.0, 1.0]),
    interval=st.sampled_from([0.0, 0.5]),
    pre_stop=st.sampled_from([0.0, 2.0]),
    again=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_a_rollout_keeps_its_bounds_at_every_step(
    pods, surge, unavailable, delay, interval, pre_stop, again, seed
):
    cluster = gl.Cluster.sim(
        pods=pods, seed=seed, readiness_delay=delay, start_interval=interval, pre_stop=pre_stop
    ).wait_ready()
    if surge == unavailable == 0:
        with pytest.raises(ValueError, match="both 0: no pod could ever be replaced"):
            cluster.rollout(max_surge=0, max_unavailable=0)
        return
    old = {pod.name for pod in cluster.pods}
    cluster.rollout(max_surge=surge, max_unavailable=unavailable)
    steps = 0
    while cluster._core.rolling:
        there = [pod for pod in cluster.pods if pod.state in ("starting", "serving")]
        assert len(there) <= pods + surge
        assert sum(pod.state == "serving" and pod.listed for pod in there) >= pods - unavailable
        assert cluster.step()
        steps += 1
        if again and steps == 2:
            old |= {pod.name for pod in cluster.pods}
            cluster.rollout(max_surge=surge, max_unavailable=unavailable)
    serving = {pod.name for pod in cluster.pods if pod.state == "serving"}
    assert len(serving) == pods
    assert not serving & old
    cluster.run(seconds=0)  # what else there is at this instant
    if not again:  # which was done in the midst of one
        assert cluster.fork().trace.story() == cluster.trace.story()


def test_what_is_done_to_pods_meanwhile_is_made_up_for():
    cluster = gl.Cluster.sim(pods=3, seed=1, readiness_delay=2).wait_ready()
    cluster.rollout()
    cluster.run(seconds=1)
    cluster.kill("pod-4")  # the first new one
    cluster.scale(2)
    cluster.wait_rollout()
    serving = [pod.name for pod in cluster.pods if pod.state == "serving"]
    assert len(serving) == 2
    assert not {"pod-1", "pod-2", "pod-3", "pod-4"} & set(serving)
