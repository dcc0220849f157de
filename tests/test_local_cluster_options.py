"""The local cluster: what each of its options reaches, and what is left of it when it ends."""

import gc
import os
import socket
import threading
import time
from functools import partial

import grpc
import pytest
from test_local_cluster import NO_PROXY, addresses, cluster, processes_of  # noqa: F401

import greetlab as gl
from greetlab import executables
from greetlab.channels.channel import Channel
from greetlab.clusters.local.cluster import _clean_up
from greetlab.clusters.processes import StartError


def test_a_pod_killed_twice_and_restarted_within_the_lag_stays_listed():
    with gl.Cluster.local(pods=2, endpoint_lag=0.2) as cluster:
        cluster.kill("pod-1")
        cluster.kill("pod-1")
        cluster.restart("pod-1")
        threading.Event().wait(0.4)  # past the lag: the time itself is what is tested
        assert [pod.listed for pod in cluster.pods] == [True, True]


def test_a_restart_that_fails_takes_the_pod_off_the_list():
    with gl.Cluster.local(pods=2, endpoint_lag=1000) as cluster:
        ip = cluster.pods[0].ip
        cluster.kill("pod-1")
        with socket.create_server((ip, cluster.port)):
            with pytest.raises(StartError, match="address in use"):
                cluster.restart("pod-1")
        assert addresses(cluster) == {cluster.pods[1].ip}


def test_scale_counts_the_pods_that_serve_and_not_the_dead(cluster):
    cluster.kill("pod-1")
    cluster.scale(3)
    assert [pod.state for pod in cluster.pods] == ["dead", "serving", "serving", "serving"]


def test_a_service_is_named_without_its_port(cluster):
    with pytest.raises(ValueError, match="a name without a port; it is 50051 here"):
        cluster.channel("greetserver:50051")


def test_close_takes_its_channels_and_its_timers_along():
    cluster = gl.Cluster.local(pods=2, endpoint_lag=1000)
    channel = cluster.channel("greetserver").wait_ready()
    before = set(threading.enumerate())
    cluster.kill("pod-1")
    [timer] = set(threading.enumerate()) - before
    cluster.close()
    assert channel.state == "SHUTDOWN"
    timer.join(5)
    assert not timer.is_alive()


def test_what_came_last_is_cleaned_up_first():
    order = []
    _clean_up(os.getpid(), [partial(order.append, n) for n in (1, 2, 3)])
    assert order == [3, 2, 1]


def test_a_seed_repeats_each_pods_failures_and_no_two_pods_fail_alike():
    def failures(seed):
        with gl.Cluster.local(pods=2, seed=seed) as cluster:
            told = []
            for pod in cluster.pods:
                cluster.fail(pod.name, 0.5)
                with Channel(f"ipv4:{pod.ip}:{cluster.port}") as channel:
                    told.append(channel.greet("A", times=40).status.tolist())
            return told

    one, other = failures(5)
    assert [one, other] == failures(5)
    assert one != other


def test_without_a_seed_each_cluster_has_its_own():
    with gl.Cluster.local(pods=0) as one, gl.Cluster.local(pods=0) as other:
        assert one.seed != other.seed


def test_the_age_grace_reaches_the_pods():
    with gl.Cluster.local(pods=1, max_connection_age=0.1, max_connection_age_grace=0.05) as cluster:
        cluster.slow("pod-1", 1000)
        with cluster.channel("greetserver") as channel:
            assert channel.greet("A", timeout=9).by_status == {"UNAVAILABLE": 1}


def test_the_grace_reaches_the_pods():
    with gl.Cluster.local(pods=1, grace=0.1) as cluster:
        cluster.slow("pod-1", 1000)
        [ip] = {pod.ip for pod in cluster.pods}
        with grpc.insecure_channel(f"{ip}:{cluster.port}", options=NO_PROXY) as channel:
            call = channel.unary_unary("/greet.GreetService/Greet").future(b"")
            channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
            cluster.drain("pod-1")
            began = time.monotonic()
            assert call.exception().code() == grpc.StatusCode.UNAVAILABLE
            assert time.monotonic() - began < 4  # the server's own default is 5


def test_dns_ttl_is_that_of_every_answer():
    with gl.Cluster.local(pods=1, dns_ttl=77) as cluster:
        assert cluster.lookup("greetserver").ttl == 77


def test_the_255th_pod_begins_the_next_row_of_addresses(cluster):
    n = cluster.network
    made = [cluster._network.pod(number) for number in (1, 254, 255)]
    assert made == [[f"127.{n}.1.1"], [f"127.{n}.1.254"], [f"127.{n}.2.1"]]


def test_two_latencies_are_a_uniform_draw_between_them(cluster):
    cluster.slow("pod-1", (0.001, 0.1))
    with Channel(f"ipv4:{cluster.pods[0].ip}:{cluster.port}") as channel:
        latency = channel.load(40, concurrency=40).latency_ns
    assert latency.max() > 50e6


def test_a_pod_says_that_it_does_not_serve(cluster):
    cluster.set_serving("pod-1", False)
    with grpc.insecure_channel(f"{cluster.pods[0].ip}:50051", options=NO_PROXY) as channel:
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=9) == b"\x08\x02"


def test_a_cluster_that_nobody_holds_any_more_ends():
    cluster = gl.Cluster.local(pods=1)
    network = cluster.network
    del cluster
    gc.collect()
    assert not processes_of(network)


def test_the_pods_are_out_of_reach_of_the_terminals_ctrl_c(cluster):
    groups = {os.getpgid(pid) for pid in processes_of(cluster.network)}
    assert os.getpgrp() not in groups


def test_a_pod_that_takes_too_long_to_start_is_named(monkeypatch, tmp_path):
    silent = tmp_path / "greet-server"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    real = executables.path
    monkeypatch.setattr(
        executables, "path", lambda name: silent if name == "greet-server" else real(name)
    )
    monkeypatch.setattr("greetlab.clusters.processes.START_TIMEOUT", 0.2)
    with pytest.raises(StartError, match=r"pod-1.*: not serving after 0 s"):
        gl.Cluster.local(pods=1)


@pytest.mark.parametrize("method", ["scale", "kill", "lookup", "channel"])
def test_a_closed_cluster_refuses_everything(method):
    cluster = gl.Cluster.local(pods=0)
    cluster.close()
    with pytest.raises(ValueError, match="cluster is closed"):
        getattr(cluster, method)(2)


def test_a_draining_pod_that_is_restarted_serves_again(cluster):
    cluster.slow("pod-1", 1000)
    with Channel(f"ipv4:{cluster.pods[0].ip}:{cluster.port}") as channel:
        channel.greet("A", timeout=0.05)
        cluster.drain("pod-1")
        cluster.restart("pod-1")
    assert cluster.pods[0].state == "serving"
    assert cluster.pods[0].listed


def test_the_title_says_how_it_connects_and_the_table_who_got_nothing(cluster):
    with cluster.channel("greetserver", connection_per_call=True) as channel:
        assert channel.title == "greetserver, connection per call"
    with cluster.channel("greetserver") as channel:
        told = repr(channel.greet("A"))
    assert told.count("  0") == 2
    assert told.startswith("greetserver, pick_first: 1 call · 1 OK · 1 connection · p50 ")
