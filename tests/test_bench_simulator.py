"""The bench's model for SimPy is our simulator's: the same calls, pods and latencies."""

import numpy as np
import pytest

import greetlab as gl

model = pytest.importorskip("bench.clients.simpy_model", reason="simpy is not installed")

CALLS = 30_000


def ours(pods, concurrency):
    cluster = gl.Cluster.sim(pods, 1, trace_capacity=0)
    channel = cluster.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
    return channel.load(CALLS, concurrency)


def theirs(pods, concurrency, detail):
    load = model.Load(CALLS, pods, concurrency, detail, seed=1)
    load.run()
    return load


@pytest.mark.parametrize("detail", list(model.Detail))
@pytest.mark.parametrize(("pods", "concurrency"), [(3, 64), (1, 1), (7, 5)])
def test_the_model_for_simpy_is_ours(pods, concurrency, detail):
    a, b = ours(pods, concurrency), theirs(pods, concurrency, detail)
    # Each pod answers as many calls.
    counts = np.bincount(b.pod, minlength=pods)
    assert a.ok == counts.sum() == CALLS
    assert sorted(a.by_pod.values()) == sorted(counts)
    # The latencies are drawn from the same distribution: all of its percentiles are the same.
    percents = [0, 1, 10, 25, 50, 75, 90, 99, 100]
    mine, other = (np.percentile(it.latency_ns, percents) for it in (a, b))
    assert mine == pytest.approx(other, rel=0.01)
    assert np.mean(a.latency_ns) == pytest.approx(np.mean(b.latency_ns), rel=0.002)
    # So many are in flight at any time: the whole takes as long.
    ends = np.asarray(b.start_ns) + np.asarray(b.latency_ns)
    assert a.seconds == pytest.approx(ends.max() / 1e9, rel=0.01)


@pytest.mark.parametrize("detail", list(model.Detail))
def test_without_a_network_each_call_takes_what_the_pod_takes(monkeypatch, detail):
    monkeypatch.setattr(model, "LEAST", 0)
    monkeypatch.setattr(model, "SPREAD", 0)
    cluster = gl.Cluster.sim(3, 1, latency=0, trace_capacity=0)
    channel = cluster.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
    mine = channel.load(640, 64)
    load = theirs(3, 64, detail)
    assert set(mine.latency_ns) == set(load.latency_ns) == {model.SERVICE}
    # In flight are 64 at a time, one after the other.
    assert np.unique(mine.start_ns - mine.start_ns[0]).tolist() == [
        turn * model.SERVICE for turn in range(10)
    ]
    assert sorted(set(load.start_ns))[:10] == [turn * model.SERVICE for turn in range(10)]


def test_in_the_whole_model_a_killed_pod_loses_its_calls_as_ours_does():
    kill_at = 10 * model.SERVICE
    load = model.Load(CALLS, 3, 64, model.Detail.WHOLE, seed=1)
    load.kill(1, at=kill_at)
    load.run()
    lost = np.asarray(load.pod) == -1
    ends = np.asarray(load.start_ns)[lost] + np.asarray(load.latency_ns)[lost]
    assert 64 // 3 <= lost.sum() <= CALLS // 3
    assert ends.min() == kill_at

    cluster = gl.Cluster.sim(3, 1, trace_capacity=0)
    channel = cluster.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
    started = channel.start(CALLS, 64)
    cluster.run(kill_at / 1e9)
    cluster.kill("pod-2")
    cluster.run(1)
    assert channel.calls(started).by_status["UNAVAILABLE"] >= 64 // 3
