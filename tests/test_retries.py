"""Calls that try again (gRFC A6), in both worlds; tests/cpp/retries.cc has the rules one by one."""

from collections import Counter

import pytest

import greetlab as gl
from greetlab.trace.consistency import problems

RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
WORLDS = ("sim", "local")


def config(*, retry=None, hedging=None, **more):
    method = {"name": [{"service": "greet.GreetService"}]}
    if retry is not None:
        method["retryPolicy"] = RETRY | retry
    if hedging is not None:
        method["hedgingPolicy"] = hedging
    return {"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [method], **more}


def told(trace, kind):
    return [event for event in trace if event.kind == kind]


def counts(trace):
    return Counter(event.kind for event in trace)


@pytest.fixture(params=WORLDS)
def cluster(request):
    with getattr(gl.Cluster, request.param)(pods=3, seed=1) as cluster:
        yield cluster


def test_a_pod_that_fails_costs_nobody_a_call(cluster):
    cluster.fail("pod-2", 1.0)
    with cluster.channel("greetserver-headless", service_config=config(retry={})) as channel:
        channel.wait_ready(all=True)
        calls = channel.load(60)
        trace = channel.trace
    seen = counts(trace)
    retried = seen["RetryScheduled"]
    # Two of three in a row may be the same pod's, where other attempts stand in between.
    assert calls.ok >= 57
    assert set(calls.by_pod) == {"pod-1", "pod-3"}
    assert retried >= 15
    assert seen["Picked"] == 60 + retried
    assert seen["AttemptEnded"] == retried
    assert problems(trace) == []


def test_without_a_policy_it_costs_a_third(cluster):
    cluster.fail("pod-2", 1.0)
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        assert channel.load(60).ok == 40


def test_another_code_is_final(cluster):
    cluster.fail("pod-2", 1.0, "INTERNAL")
    with cluster.channel("greetserver-headless", service_config=config(retry={})) as channel:
        channel.wait_ready(all=True)
        calls = channel.load(30)
        assert calls.by_status == {"OK": 20, "INTERNAL": 10}
        assert counts(channel.trace)["RetryScheduled"] == 0


def test_the_pod_says_when(cluster):
    cluster.fail("pod-2", 1.0, pushback=0.08)
    with cluster.channel("greetserver-headless", service_config=config(retry={})) as channel:
        channel.wait_ready(all=True)
        channel.load(30)
        scheduled = told(channel.trace, "RetryScheduled")
    assert scheduled
    for event in scheduled:
        assert event.pushback
        assert event.until - event.time_ns == pytest.approx(80e6, abs=1e6)
        assert "as the server says" in str(event)


def test_the_pod_says_never(cluster):
    cluster.fail("pod-2", 1.0, pushback=-1)
    with cluster.channel("greetserver-headless", service_config=config(retry={})) as channel:
        channel.wait_ready(all=True)
        calls = channel.load(30)
        refused = told(channel.trace, "RetryRefused")
    assert calls.by_status == {"OK": 20, "UNAVAILABLE": 10}
    assert len(refused) == 10
    assert "the server says not to" in str(refused[0])


@pytest.mark.parametrize("world", WORLDS)
def test_a_storm_and_what_stops_it(world):
    """All pods fail: three times the load, or, with tokens, hardly more than without retries."""
    attempts = {}
    for name, throttling in {
        "storm": {},
        "tokens": {"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}},
    }.items():
        with getattr(gl.Cluster, world)(pods=3, seed=1) as cluster:
            for pod in cluster.pods:
                cluster.fail(pod.name, 1.0)
            with cluster.channel(
                "greetserver-headless", service_config=config(retry={}, **throttling)
            ) as channel:
                channel.wait_ready(all=True)
                calls = channel.load(60)
                assert calls.ok == 0
                attempts[name] = counts(channel.trace)["Picked"]
                tokens = told(channel.trace, "RetryTokens")
    assert attempts["storm"] == 180
    assert attempts["tokens"] <= 65
    assert tokens[0].tokens == 9000
    assert str(tokens[-1]).endswith("nothing is tried again")


def test_tokens_come_back(cluster):
    cluster.fail("pod-1", 1.0)
    throttling = {"maxTokens": 4, "tokenRatio": 1.0}
    wanted = config(retry={}, retryThrottling=throttling)
    with cluster.channel("greetserver-headless", service_config=wanted) as channel:
        channel.wait_ready(all=True)
        channel.load(9)
        cluster.fail("pod-1", 0.0)
        channel.load(20)
        tokens = told(channel.trace, "RetryTokens")
    assert min(event.tokens for event in tokens) < 4000
    assert tokens[-1].tokens == tokens[-1].most == 4000


@pytest.mark.parametrize("world", WORLDS)
def test_a_hedge_passes_a_slow_pod_by(world):
    with getattr(gl.Cluster, world)(pods=3, seed=1) as cluster:
        cluster.slow("pod-2", 1.0)
        hedging = {"maxAttempts": 2, "hedgingDelay": "0.05s", "nonFatalStatusCodes": []}
        with cluster.channel(
            "greetserver-headless", service_config=config(hedging=hedging)
        ) as channel:
            channel.wait_ready(all=True)
            calls = channel.load(30, 1)  # one by one: so the next in turn is another pod
            trace = channel.trace
    seen = counts(trace)
    assert calls.ok == 30
    assert calls.percentile(99) < 0.9
    assert set(calls.by_pod) == {"pod-1", "pod-3"}
    assert seen["HedgeStarted"] == seen["AttemptEnded"] >= 8
    assert problems(trace) == []


def test_the_deadline_is_the_calls_own():
    cluster = gl.Cluster.sim(pods=1, seed=1)
    cluster.fail("pod-1", 1.0)
    slow = {"initialBackoff": "0.4s", "maxBackoff": "0.4s", "maxAttempts": 5}
    channel = cluster.channel("greetserver-headless", service_config=config(retry=slow))
    calls = channel.load(1, timeout=1.0)
    assert calls.by_status == {"DEADLINE_EXCEEDED": 1}
    assert calls.latency_ns[0] == pytest.approx(1e9, rel=1e-6)
    assert 2 <= counts(channel.trace)["Picked"] <= 4


def test_a_trace_with_attempts_is_kept_and_told(tmp_path):
    cluster = gl.Cluster.sim(pods=3, seed=1)
    cluster.fail("pod-2", 1.0)
    channel = cluster.channel("greetserver-headless", service_config=config(retry={}))
    channel.wait_ready(all=True)
    channel.load(6)
    path = tmp_path / "trace.jsonl"
    channel.trace.save(path)
    kept = gl.Trace.load(path)
    assert [str(event) for event in kept] == [str(event) for event in channel.trace]
    scheduled = told(kept, "RetryScheduled")[0]
    assert [event.kind for event in scheduled.causes()][:2] == ["RetryScheduled", "AttemptEnded"]
