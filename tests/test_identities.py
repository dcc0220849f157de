"""Who is who in a trace: numbers that are its own, names that are one channel's, addresses that the
cluster tells; and what reads them agrees with what the pods say."""

import re

import pytest

import greetlab as gl
from greetlab.trace import consistency
from greetlab.trace.summary import summarize
from greetlab.trace.trace import owner
from greetlab.views.widget.pack import pack, unpack
from greetlab.views.widget.topology import topology


@pytest.fixture(params=["sim", "local"])
def cluster(request):
    make = gl.Cluster.sim if request.param == "sim" else gl.Cluster.local
    with make(pods=3, seed=5) as cluster:
        yield cluster


def numbers(trace, kind, field):
    return trace.column(kind, field).tolist()


def homes(trace):
    return {e.pod: e.address for e in trace.of("PodChanged")}


@pytest.mark.parametrize("service", ["greetserver", "greetserver-headless"])
def test_a_channel_for_each_call_has_a_name_and_numbers_of_its_own(cluster, service):
    with cluster.channel(service, connection_per_call=True) as channel:
        channel.greet(times=8)
        trace = channel.trace
    for kind, field in (
        ("CallStarted", "call"), ("SubchannelCreated", "subchannel"),
        ("ConnectStarted", "connection"),
    ):  # fmt: skip
        found = numbers(trace, kind, field)
        assert len(set(found)) == len(found) >= 8
    names = {e.who for e in trace.of("CallStarted")}
    assert names == {f"client-1.{i}" for i in range(1, 9)}
    assert {owner(name) for name in names} == {"client-1"}
    assert not consistency.problems(trace)
    assert len(trace.of("CallStarted", who="client-1")) == 8


def test_each_sentence_names_the_address_that_was_dialled(cluster):
    """Found: on LOCAL 5 of 8 "dials" sentences named another address."""
    with cluster.channel("greetserver-headless", connection_per_call=True) as channel:
        calls = channel.greet(times=8)
        trace = channel.trace
    where = homes(trace)
    for ended in trace.of("CallEnded"):
        (dial,) = [e for e in ended.causes() if e.kind == "ConnectStarted"]
        dialled = re.search(r"dials (\S+)", str(dial))[1]
        assert dialled == where[ended.pod]
    (client,) = summarize(trace).clients
    assert client.name == "client-1"
    assert client.by_pod == dict(sorted(calls.by_pod.items()))
    assert client.by_address == {where[pod]: n for pod, n in calls.by_pod.items()}


def test_two_clients_that_dial_anew_are_told_apart():
    cluster = gl.Cluster.sim(pods=2, seed=1)
    one, two = (cluster.channel("greetserver", connection_per_call=True) for _ in range(2))
    one.greet(times=3)
    two.greet(times=4)
    one.greet(times=2)
    assert len(one.trace.of("CallEnded")) == 5
    assert len(two.trace.of("CallEnded")) == 4
    assert [c.name for c in summarize(cluster.trace).clients] == ["client-1", "client-2"]


def test_a_pod_that_nobody_talks_to_is_where_the_cluster_says(cluster):
    """Found: kill pod-2, open a pick_first channel, greet: the flow drew four pods of three."""
    cluster.kill("pod-2")
    with cluster.channel("greetserver") as channel:
        channel.greet(times=3)
        trace = channel.trace
    assert {
        pod["name"]: ",".join(pod["addresses"]) for pod in unpack(pack(trace))[0]["pods"]
    } == homes(trace)
    assert len(homes(trace)) == 3
    assert len(topology(trace).virtual) == 1


def test_a_picture_counts_the_connections_that_were_made():
    """Found: "300 clients, 300 connections" over a trace with 900 of them."""
    cluster = gl.Cluster.sim(pods=3, seed=1)
    for _ in range(30):
        cluster.channel("greetserver-headless", policy="round_robin").wait_ready(all=True).greet()
    assert len(cluster.trace.of("Connected")) == 90
    picture = gl.plot.requests(cluster.trace)
    titles = [axes.get_title(loc="left") for axes in picture.axes]
    assert "30 clients  ·  90 connections" in titles
    calls = cluster.channel("greetserver-headless", policy="round_robin").greet(times=2)
    used = gl.plot.requests(calls)
    assert any("connections used" in axes.get_title(loc="left") or "connection used" in
               axes.get_title(loc="left") for axes in used.axes)  # fmt: skip


def test_who_answers_from_elsewhere_is_found_out(tmp_path):
    cluster = gl.Cluster.sim(pods=2, seed=1)
    channel = cluster.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
    channel.greet(times=4)
    path = tmp_path / "trace.jsonl"
    cluster.trace.save(path)
    lines = path.read_text().splitlines()
    number, line = next((i, text) for i, text in enumerate(lines) if '"CallEnded"' in text)
    other = {"pod-1": "pod-2", "pod-2": "pod-1"}
    lines[number] = re.sub(r'"pod":"(pod-\d)"', lambda m: f'"pod":"{other[m[1]]}"', line)
    path.write_text("\n".join(lines) + "\n")
    (problem,) = consistency.problems(gl.Trace.load(path))
    assert problem.rule == "places"
    assert "answered by a pod that is elsewhere than was dialled" in str(problem)
