"""The local cluster: what can be done to its pods, and that nothing of it is left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest

import greetlab as gl
from greetlab import executables
from greetlab.clusters.processes import StartError

NO_PROXY = [("grpc.enable_http_proxy", 0)]


@pytest.fixture
def cluster():
    with gl.Cluster.local(pods=3, seed=11) as cluster:
        yield cluster


def addresses(cluster):
    return set(cluster.lookup("greetserver-headless", ["A"]).addresses)


def ips(cluster, *names):
    return {pod.ip for pod in cluster.pods if pod.name in names}


def processes_of(network):
    """Ids of the live processes of the cluster on 127.<network>.0.0/16."""
    mark = f"127.{network}."
    ours = str(executables.path("greet-server").parent)
    return {
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and mark in _command(entry) and ours in _command(entry)
    }


def _command(entry):
    try:
        if "\nState:\tZ" in (entry / "status").read_text():
            return ""
        return (entry / "cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def gone(pids, seconds=5.0):
    """Waits until none of the processes is left. (They are no children of ours: polling it is.)"""
    deadline = time.monotonic() + seconds
    while any("greetlab" in _command(Path(f"/proc/{pid}")) for pid in pids):
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True


# The pods.


def test_scale_up_lists_the_new_pods_everywhere(cluster):
    cluster.scale(5)
    assert [pod.name for pod in cluster.pods] == [f"pod-{n}" for n in range(1, 6)]
    assert addresses(cluster) == {pod.ip for pod in cluster.pods}
    with cluster.channel("greetserver", connection_per_call=True) as channel:
        reached = channel.load(200, concurrency=8).by_pod
    assert set(reached) == {f"pod-{n}" for n in range(1, 6)}  # the ClusterIP has them, too


def test_scale_down_drains_the_newest(cluster):
    cluster.scale(1)
    assert addresses(cluster) == ips(cluster, "pod-1")
    assert [pod.name for pod in cluster.pods if pod.listed] == ["pod-1"]
    gone_by = time.monotonic() + 5
    while len(cluster.pods) > 1:  # the drained ones, as soon as they have ended
        assert time.monotonic() < gone_by


def test_scale_to_nothing_is_nxdomain_when_headless_and_a_dead_end_behind_the_cluster_ip(cluster):
    cluster.scale(0)
    assert cluster.lookup("greetserver-headless").status == "nxdomain"
    assert cluster.lookup("greetserver").addresses == [cluster.cluster_ip]
    with cluster.channel("greetserver") as channel:
        assert channel.greet("A").by_status == {"UNAVAILABLE": 1}
    with cluster.channel("greetserver-headless") as channel:
        calls = channel.greet("A")
    assert calls.by_status == {"UNAVAILABLE": 1}
    assert "DNS resolution failed" in calls.errors[0]


def test_a_killed_pod_is_off_the_list_and_its_connections_are_gone(cluster):
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        cluster.kill("pod-2")
        assert addresses(cluster) == ips(cluster, "pod-1", "pod-3")
        calls = channel.greet("A", times=30)
    assert "pod-2" not in calls.by_pod
    assert cluster.pods[1].state == "dead"


def test_a_killed_pod_stays_listed_for_the_endpoint_lag():
    with gl.Cluster.local(pods=2, endpoint_lag=0.3) as cluster:
        cluster.kill("pod-1")
        assert cluster.pods[0] == gl.Pod("pod-1", cluster.pods[0].ip, "dead", listed=True)
        assert len(addresses(cluster)) == 2
        deadline = time.monotonic() + 5
        while len(addresses(cluster)) == 2:
            assert time.monotonic() < deadline
        assert addresses(cluster) == ips(cluster, "pod-2")


def test_a_restart_within_the_lag_keeps_the_pod_listed():
    with gl.Cluster.local(pods=2, endpoint_lag=0.2) as cluster:
        cluster.kill("pod-1")
        cluster.restart("pod-1")
        threading.Event().wait(0.4)  # past the lag: the time itself is what is tested
        assert [pod.listed for pod in cluster.pods] == [True, True]


def test_a_restarted_pod_serves_at_the_same_address(cluster):
    before = cluster.pods[0]
    cluster.kill("pod-1")
    cluster.restart("pod-1")
    assert cluster.pods[0] == before
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        assert channel.greet("A", times=30).by_pod["pod-1"] == 10


def test_restart_also_replaces_a_pod_that_still_runs(cluster):
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        channel.greet("A", times=30)
        cluster.restart("pod-1")
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        calls = channel.greet("A", times=3)
    first_of_pod_1 = calls.serial[calls.pod == calls.pods.index("pod-1")].min()
    assert first_of_pod_1 == 1  # it counts from the beginning again


def test_draining_lets_calls_finish(cluster):
    cluster.slow("pod-1", 0.3)
    [ip] = ips(cluster, "pod-1")
    with grpc.insecure_channel(f"{ip}:{cluster.port}", options=NO_PROXY) as channel:
        call = channel.unary_unary("/greet.GreetService/Greet").future(b"", timeout=5)
        # On the same connection and after the call: when this is answered, the call has arrived.
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
        cluster.drain("pod-1")
        assert cluster.pods[0].state == "draining"
        assert addresses(cluster) == ips(cluster, "pod-2", "pod-3")
        assert b"Hello" in call.result()


def test_one_slow_pod_is_slow_and_the_others_are_not(cluster):
    cluster.slow("pod-2", 0.05)
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        calls = channel.greet("A", times=9)
        slow = calls.pod == calls.pods.index("pod-2")
        assert calls.latency_ns[slow].min() >= 50e6
        assert calls.latency_ns[~slow].max() < 50e6
        cluster.slow("pod-2", 0)
        assert channel.greet("A", times=9).latency_ns.max() < 50e6


def test_a_failing_pod_fails_its_share(cluster):
    cluster.fail("pod-3", 1.0)
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        assert channel.greet("A", times=30).by_status == {"OK": 20, "UNAVAILABLE": 10}


def test_a_pod_that_is_not_serving_still_gets_the_traffic_of_those_who_have_it(cluster):
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        cluster.set_serving("pod-1", False)
        assert [pod.listed for pod in cluster.pods] == [False, True, True]
        assert channel.greet("A", times=30).by_pod == {"pod-1": 10, "pod-2": 10, "pod-3": 10}
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        assert channel.greet("A", times=30).by_pod == {"pod-2": 15, "pod-3": 15}


def test_what_the_proxy_reports_is_joined_with_what_the_pod_saw(cluster):
    with cluster.channel("greetserver") as channel:
        calls = channel.greet("A", times=5)
        [[local]] = [s.local_addresses for s in channel.subchannels]
    [(pod, peer)] = calls.connections
    [opened] = [fact for fact in cluster.proxy_facts if fact["fact"] == "opened"]
    assert opened["source"] == local  # the client's end
    assert opened["upstream"] == peer  # the pod's end
    assert opened["endpoint"].split(":")[0] in ips(cluster, pod)


def test_the_same_seed_routes_the_same():
    def route(seed):
        with (
            gl.Cluster.local(pods=3, seed=seed) as cluster,
            cluster.channel("greetserver", connection_per_call=True) as channel,
        ):
            return [call.pod for call in channel.greet("A", times=20)]

    assert route(5) == route(5)
    assert route(5) != route(6)


def test_max_connection_age_makes_clients_connect_again_and_no_call_fails():
    with gl.Cluster.local(pods=1, max_connection_age=0.1) as cluster:
        cluster.slow("pod-1", 0.005)
        with cluster.channel("greetserver") as channel:
            calls = channel.greet("A", times=100)
    assert calls.ok == 100
    assert len(calls.connections) > 2


def test_with_session_affinity_a_client_that_comes_again_comes_to_its_pod():
    with gl.Cluster.local(pods=3, session_affinity=10_800, seed=1) as cluster:
        pods = {}
        for source in (f"127.{cluster.network}.200.{number}" for number in range(1, 9)):
            channel = cluster.channel("greetserver", source_ip=source, connection_per_call=True)
            calls = channel.greet(times=10)
            assert len(calls.connections) == 10
            [pods[source]] = calls.by_pod
        assert len(set(pods.values())) > 1
        sources = {fact["source"].split(":")[0] for fact in cluster.proxy_facts if "source" in fact}
        assert sources == set(pods)


def test_only_our_engine_can_choose_where_it_connects_from(cluster):
    with pytest.raises(ValueError, match="source_ip: the engine 'grpc' cannot be told; "):
        cluster.channel("greetserver", source_ip="127.9.9.9", engine="grpc")
    with pytest.raises(ValueError, match="source address 'here': it is no IP address"):
        cluster.channel("greetserver", source_ip="here")


def test_an_address_that_is_not_ours_is_a_failed_connect_like_any_other(cluster):
    calls = cluster.channel("greetserver", source_ip="192.0.2.1").greet()
    assert calls.by_status == {"UNAVAILABLE": 1}
    assert "assign requested address" in calls.errors[0]


def test_only_the_cluster_ip_translates_the_services_port():
    with gl.Cluster.local(pods=2, service_port=8080) as cluster:
        for service, port in (("greetserver", 8080), ("greetserver-headless", 50051)):
            records = cluster.lookup(f"_grpc._tcp.{service}", ["SRV"]).srv
            assert {record.port for record in records} == {port}
            with cluster.channel(service) as right:
                assert right.greet("A").ok == 1
        with cluster.channel("greetserver-headless", port=8080) as wrong:
            calls = wrong.greet("A")
    assert calls.by_status == {"UNAVAILABLE": 1}
    assert "8080: connect: Connection refused" in calls.errors[0]


@pytest.mark.parametrize(
    "name",
    [
        "greetserver.default",
        "greetserver.default.svc",
        "greetserver.default.svc.cluster.local",
        "greetserver.default.svc.cluster.local.",
    ],
)
def test_a_channel_finds_whatever_a_lookup_finds(cluster, name):
    assert cluster.lookup(name).ok
    with cluster.channel(name) as channel:
        assert channel.greet("A").ok == 1


def test_a_service_that_is_not_there_fails_the_calls(cluster):
    with cluster.channel("nothing") as channel:
        assert channel.greet("A").by_status == {"UNAVAILABLE": 1}


# What goes wrong.


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("port", 0),
        ("service_port", 0),
        ("endpoint_lag", -1),
        ("endpoint_lag", float("nan")),
        ("dns_ttl", -1),
        ("seed", -1),
        ("seed", 2**64),
        ("max_connection_age", 0.0004),
        ("grace", float("inf")),
    ],
)
def test_an_impossible_option_is_refused(option, value):
    with pytest.raises(ValueError, match=r"at least and .* at most"):
        gl.Cluster.local(**{option: value})


def test_a_scale_that_fails_leaves_the_cluster_as_it_was(cluster):
    prefix = cluster.pods[0].ip.rsplit(".", 1)[0]
    with socket.create_server((f"{prefix}.5", cluster.port)):
        with pytest.raises(StartError, match=r"pod-5 did not start: .*address in use"):
            cluster.scale(6)
        assert len(processes_of(cluster.network)) == 4  # three pods and the proxy
    assert [pod.name for pod in cluster.pods] == ["pod-1", "pod-2", "pod-3"]
    cluster.scale(4)
    assert len(addresses(cluster)) == 4


def test_a_proxy_that_is_gone_is_named(cluster):
    cluster.proxies[0].popen.kill()
    cluster.proxies[0].popen.wait()
    with pytest.raises(RuntimeError, match="the clusterip process has ended"):
        cluster.scale(4)


def test_an_http_proxy_in_the_environment_does_not_come_between(cluster, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    cluster.slow("pod-1", 0)
    cluster.set_serving("pod-1", True)


@pytest.mark.parametrize("method", ["kill", "restart", "drain"])
def test_an_unknown_pod_is_named_with_those_there_are(cluster, method):
    with pytest.raises(ValueError, match="no pod 'pod-9': there is pod-1, pod-2, pod-3"):
        getattr(cluster, method)("pod-9")


def test_a_dead_pod_cannot_be_slowed(cluster):
    cluster.kill("pod-1")
    with pytest.raises(ValueError, match="'pod-1' is dead; restart it first"):
        cluster.slow("pod-1", 1)


@pytest.mark.parametrize("latency", [-1, (2, 1), float("nan")])
def test_a_bad_latency_is_refused(cluster, latency):
    with pytest.raises(ValueError, match=r"latency .*(at least|smaller)"):
        cluster.slow("pod-1", latency)


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_a_bad_rate_is_refused(cluster, rate):
    with pytest.raises(ValueError, match="0 at least and 1 at most"):
        cluster.fail("pod-1", rate)


@pytest.mark.parametrize("pods", [-1, 251])
def test_a_bad_number_of_pods_is_refused(pods):
    with pytest.raises(ValueError, match="0 to 250"):
        gl.Cluster.local(pods=pods)


def test_a_closed_cluster_says_so():
    cluster = gl.Cluster.local(pods=1)
    cluster.close()
    cluster.close()
    with pytest.raises(ValueError, match="cluster is closed"):
        cluster.channel("greetserver")
    assert [pod.state for pod in cluster.pods] == ["dead"]


def test_a_process_that_cannot_start_is_named_and_the_others_are_ended(monkeypatch):
    monkeypatch.setattr("greetlab.clusters.local.cluster._seconds", lambda value: "soon")
    with pytest.raises(StartError, match=r"pod-\d did not start: .*expected a number and a unit"):
        gl.Cluster.local(pods=3)


# Nothing is left.


def test_two_clusters_at_once_do_not_meet():
    with gl.Cluster.local(pods=2) as one, gl.Cluster.local(pods=1) as other:
        assert one.network != other.network
        assert not addresses(one) & addresses(other)


def test_close_leaves_no_process_thread_or_descriptor():
    def left():
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    def round_trip():
        with gl.Cluster.local(pods=2) as cluster:
            cluster.lookup("greetserver")
            with cluster.channel("greetserver-headless", policy="round_robin") as channel:
                channel.wait_ready(all=True)
            return processes_of(cluster.network)

    round_trip()  # gRPC keeps some threads and descriptors of its own from its first use on
    before = left()
    pids = round_trip()
    assert len(pids) == 3
    assert gone(pids)
    assert left() == before


ORPHAN = """
import signal, sys, greetlab as gl
signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner may have it ignored
cluster = gl.Cluster.local(pods=2)
print(cluster.network, flush=True)
{then}
"""


@pytest.mark.parametrize(
    ("then", "end"),
    [
        ("raise RuntimeError('an exception')", None),
        ("sys.exit(0)", None),
        ("sys.stdin.read()", signal.SIGINT),
        ("sys.stdin.read()", signal.SIGKILL),
    ],
    ids=["exception", "exit", "ctrl-c", "kill -9"],
)
def test_nothing_outlives_python(then, end):
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN.format(then=then)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as python:
        network = int(python.stdout.readline())
        if end is None:
            pids = set()
        else:
            pids = processes_of(network)
            assert len(pids) == 3
            python.send_signal(end)
        python.wait(10)
    assert gone(pids)
    assert not processes_of(network)


def test_a_forked_child_does_not_keep_the_pods_alive():
    then = "import os\nif child := os.fork(): print(child, flush=True), os._exit(0)\n"
    code = ORPHAN.format(then=then + "signal.pause()")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as python:
        network, child = int(python.stdout.readline()), int(python.stdout.readline())
        try:
            assert gone(processes_of(network))
        finally:
            os.kill(child, signal.SIGKILL)


def test_scaling_up_and_down_leaks_no_descriptor():
    def descriptors():
        return len(list(Path("/proc/self/fd").iterdir()))

    with gl.Cluster.local(pods=1) as cluster:
        before = descriptors()
        for _ in range(5):
            cluster.scale(3)
            cluster.scale(1)
            cluster.restart(cluster.pods[0].name)
        waited_until = time.monotonic() + 5
        while len(cluster.pods) > 1:
            assert time.monotonic() < waited_until
        assert descriptors() == before


def test_a_close_that_was_interrupted_is_finished_by_the_next(monkeypatch):
    cluster = gl.Cluster.local(pods=2)
    network = cluster.network

    def interrupt():
        monkeypatch.undo()
        raise KeyboardInterrupt

    cluster._cleanup.append(interrupt)
    with pytest.raises(KeyboardInterrupt):
        cluster.close()
    cluster._cleanup.pop()
    cluster.close()
    assert not processes_of(network)
