"""The plot of what each pod has to do, by what stands in it."""

import pytest

import greetlab as gl


@pytest.fixture(scope="module")
def trace():
    cluster = gl.Cluster.sim(3, seed=7, capacity=4, queue=20, service_time="exponential 20ms")
    channel = cluster.channel("greetserver-headless", policy="round_robin")
    channel.wait_ready(all=True)
    cluster.slow("pod-2", 0.04)
    channel.load(1000, every="exponential 3ms")
    return channel.trace


def lanes(figure):
    return {
        axes.get_ylabel(): axes for axes in figure.axes if axes.get_label() == "queue"
    }  # fmt: skip


def test_each_pod_has_a_lane_with_its_calls_and_those_that_wait(trace):
    drawn = lanes(gl.plot.queues(trace))
    assert list(drawn) == ["pod-1", "pod-2", "pod-3"]
    for name, axes in drawn.items():
        both, served = (c for c in axes.collections if c.get_label() in ("waiting", "in service"))
        told = trace.of("PodServed", who=name)
        heights = [max(part.get_paths()[0].vertices[:, 1]) for part in (both, served)]
        assert heights == [max(e.in_service + e.waiting for e in told), 4]


def test_the_hot_pod_is_the_one_with_refusals(trace):
    figure = gl.plot.queues(trace)
    refused = {
        name: len(part.get_segments())
        for name, axes in lanes(figure).items()
        for part in axes.collections
        if part.get_label() == "refused"
    }
    assert refused == {
        name: len(trace.of("PodServed", who=name, step="refuses")) for name in lanes(figure)
    }
    assert refused["pod-2"] > 50 > refused["pod-1"]
    assert "pod-2: at most 4 calls in service and 20 waiting" in figure.alt
    assert "pod-2 slowed" in figure.alt


def test_a_pod_that_is_killed_has_nothing_to_do():
    cluster = gl.Cluster.sim(1, seed=7, capacity=1, service_time=1.0)
    channel = cluster.channel("greetserver")
    channel.start(5, concurrency=5)
    cluster.run(0.5)
    cluster.kill("pod-1")
    cluster.run(0.5)
    [axes] = lanes(gl.plot.queues(cluster.trace)).values()
    both = axes.collections[0].get_paths()[0].vertices
    assert both[both[:, 0] < 0.5][:, 1].max() == 5
    assert both[both[:, 0] > 0.5001][:, 1].max() == 0


def test_pods_that_tell_nothing_are_a_sentence():
    channel = gl.Cluster.sim(1, seed=7).channel("greetserver")
    channel.greet()
    with pytest.raises(ValueError, match=r"no pod tells of its queue .*capacity"):
        gl.plot.queues(channel.trace)
    with pytest.raises(TypeError, match="drawn from a Trace"):
        gl.plot.queues(channel.greet())
