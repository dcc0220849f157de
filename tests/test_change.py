"""A running virtual world is told something else: from then on it is so."""

import pytest

import greetlab as gl


def cluster_with(**options):
    return gl.Cluster.sim(pods=3, seed=7, **options)


def delisted_after(cluster):
    """How long the endpoint of a pod that is killed now stays listed."""
    began = cluster.seconds
    cluster.kill("pod-2")
    while next(pod for pod in cluster.pods if pod.name == "pod-2").listed:
        assert cluster.step()
    return cluster.seconds - began


def test_what_begins_after_it_is_as_it_says():
    cluster = cluster_with()
    assert delisted_after(cluster) == 0
    cluster.restart("pod-2")
    cluster.run(1)
    cluster.change(endpoint_lag=2)
    assert delisted_after(cluster) == 2


def test_the_pods_that_are_there_serve_longer():
    cluster = cluster_with()
    channel = cluster.channel("greetserver")
    channel.greet()
    cluster.change(service_time=0.05)
    assert 0.05 <= channel.greet().latency_ns[0] / 1e9 < 0.06


def test_what_is_of_its_making_it_keeps():
    cluster = cluster_with()
    with pytest.raises(ValueError, match=r"seed: a running world keeps it; .*endpoint_lag"):
        cluster.change(seed=8)
    with pytest.raises(TypeError, match="no option 'speed'"):
        cluster.change(speed=8)
    with pytest.raises(ValueError, match="endpoint_lag"):
        cluster.change(endpoint_lag=-1)


def test_a_link_and_a_fork_are_told_it_too():
    cluster = cluster_with(endpoint_lag=1)
    cluster.run(1)
    cluster.change(endpoint_lag=2, max_connection_age=5)
    assert ";@1s+change+endpoint_lag=2s+max_connection_age=5s" in cluster.link()
    again = gl.Cluster.from_link(cluster.link())
    assert delisted_after(again) == delisted_after(cluster.fork()) == 2


def test_calls_stop_and_those_in_flight_go_on():
    link = (
        "v1+pods=1+seed=7+service_time=300ms;open+greetserver+policy=pick_first;"
        "load+client-1+calls=100+interval=100ms;@1s+stop+load-1;@2s"
    )
    cluster = gl.Cluster.from_link(link)
    ended = cluster.trace.of(gl.CallEnded)
    assert 8 <= len(ended) <= 11
    assert {event.code for event in ended} == {"OK"}
    assert cluster.link() == f"#{link}"


def test_what_is_done_at_once_is_done_at_once_again():
    cluster = cluster_with()
    cluster.run(1)
    cluster.kill("pod-1")
    cluster.scale(5)
    assert cluster.link().endswith(";@1s+kill+pod-1;scale+5")
    again = gl.Cluster.from_link(cluster.link())
    assert again.trace.core.digest() == cluster.trace.core.digest()


def test_a_link_of_two_worlds_says_how_to_open_each():
    link = "#v1+pods=3+seed=7;@1s!v1+pods=3+seed=7;@0.5s+kill+pod-2;@1s"
    with pytest.raises(ValueError, match=r"two worlds .* is A, .* is B"):
        gl.Cluster.from_link(link)
    first, second = (gl.Cluster.from_link(one) for one in link.split("!"))
    assert [pod.state for pod in first.pods] != [pod.state for pod in second.pods]
