"""greet-client --serve, and the channel that drives it: what stands behind Cluster.kube."""

import json
import os
import signal
import subprocess
import threading

import pytest
from support import wait_until

import greetlab as gl
from greetlab import executables
from greetlab.clusters.kube.channel import KubeChannel
from greetlab.clusters.kube.served import Served, ServedError

OPEN = '{"n":1,"do":"open","channel":"c","target":"static:127.0.0.1:1","policy":'
COMMAND = [str(executables.path("greet-client")), "--serve"]


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=31) as cluster:
        yield cluster


@pytest.fixture
def served():
    served = Served(COMMAND, "this machine")
    yield served
    served.close()


@pytest.fixture
def channel(served, cluster):
    def opened(service="greetserver-headless", policy="round_robin", name="client-1", **options):
        target = cluster.target(service)
        return KubeChannel(served, target, name=name, title=service, policy=policy, **options)

    return opened


def test_it_greets_and_the_trace_says_why(channel):
    client = channel().wait_ready(all=True)
    calls = client.greet("Ada", "Lovelace", times=60)
    assert calls.by_pod == {"pod-1": 20, "pod-2": 20, "pod-3": 20}
    assert calls[0].result.startswith("Hello, Ada Lovelace from pod: name(pod-")
    assert len(calls.connections) == 3
    trace = client.trace
    assert len(trace.of("CallEnded", code="OK")) == 60
    chain = [event.kind for event in trace.last("Picked").causes()]
    assert chain[0] == "Picked"
    assert chain[-1] == "LookupStarted"
    assert client.state == "READY"
    assert [s.state for s in client.subchannels] == ["READY"] * 3


def test_events_come_while_calls_are_under_way(channel):
    client = channel()
    calls = []
    load = threading.Thread(target=lambda: calls.append(client.load(30, every=0.01)))
    load.start()
    wait_until(lambda: len(client.trace.of("CallEnded")) > 0)
    assert not calls  # the load is still going on
    load.join()
    assert calls[0].ok == 30
    assert len(client.trace.of("CallEnded")) == 30


def test_what_the_cluster_does_is_the_cause(channel, cluster):
    client = channel(name="client-2").wait_ready(all=True)
    victim = client.subchannels[0].address
    client.tell_pod_changed("pod-x", [victim], "killed", ends=True)
    told = client.trace.last("PodChanged")
    assert (told.who, told.pod, told.address) == ("cluster", "pod-x", victim)


def test_who_watches_is_told(served, cluster):
    client = KubeChannel(
        served, "watch:///greetserver-headless", name="client-1", title="told", policy="round_robin"
    )
    endpoints = [
        gl._core.SliceEndpoint(
            pod.name, f"{pod.ip}:{cluster.port}", ready=True, serving=True, terminating=False
        )
        for pod in cluster.pods
    ]
    client.tell_endpoints_changed("greetserver-headless", endpoints[:1])
    assert len(client.wait_ready(all=True).greet(times=4).by_pod) == 1
    client.tell_endpoints_changed("greetserver-headless", endpoints)
    client.wait_ready(pods=3)
    assert len(client.greet(times=6).by_pod) == 3
    why = client.trace.last("Picked").causes()[-1]
    assert (why.kind, why.who) == ("EndpointsChanged", "cluster")


def test_a_lookup_is_the_client_s_own(served):
    found = gl._core.answered_lookup(served.line("lookup", name="localhost.", types=["A"]))
    assert found.name == "localhost."
    assert found.queries[0].name == "localhost"


def test_a_closed_channel_has_its_trace_and_no_calls(channel):
    client = channel()
    client.greet()
    client.close()
    client.close()
    assert client.trace.last("ChannelStateChanged").to == "SHUTDOWN"
    assert client.state == "SHUTDOWN"
    assert client.subchannels == []
    with pytest.raises(ValueError, match="is closed"):
        client.greet()


def test_the_options_come_along(channel, cluster):
    config = {"methodConfig": [{"name": [{}], "timeout": "0.05s"}]}
    client = channel(service_config=config, policy="pick_first", cooldown=2.5, seed=7)
    for pod in cluster.pods:
        cluster.slow(pod.name, 5)
    assert client.greet(times=2).by_status == {"DEADLINE_EXCEEDED": 2}
    for pod in cluster.pods:
        cluster.slow(pod.name, 0)
    least = channel(policy={"least_request": {"choiceCount": 3}}, name="client-2")
    assert least.wait_ready().greet().ok == 1
    assert least.trace.last("PickerPublished").picker.startswith("least_request")


def test_what_there_is_not_in_a_pod_is_said(channel):
    class Mine(gl.Policy):
        pass

    with pytest.raises(ValueError, match="the client is in a pod"):
        channel(policy=Mine)
    with pytest.raises(ValueError, match="engine 'grpc': greet-client"):
        channel(engine="grpc")


def test_a_target_that_is_none_is_said(served):
    with pytest.raises(ValueError, match="no port"):
        KubeChannel(served, "greetserver", name="z", title="")


def lines(*commands):
    done = subprocess.run(
        COMMAND, input="".join(f"{one}\n" for one in commands), capture_output=True, text=True,
        timeout=20,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    hello, *said = map(json.loads, done.stdout.splitlines())
    assert hello["greet_client"]
    return said


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("nonsense", "a line of JSON"),
        ("[]", "a JSON object"),
        ('{"do":"clock"}', '"n" is missing'),
        ('{"n":-1,"do":"clock"}', '"n" is a whole number'),
        ('{"n":1,"do":"gret"}', 'no command "gret": there is cancel, '),
        ('{"n":1,"do":"clock","now":1}', '"now" is unknown'),
        ('{"n":1,"do":"close","channel":"c"}', 'no channel "c"'),
        (OPEN + '"best"}', "policy 'best'"),
        (OPEN + '{"best":{}}}', "best"),
        (
            '{"n":1,"do":"open","channel":"c","target":"static:127.0.0.1:1","policy":"pick_first",'
            '"options":{"cooldown":"1s"}}',
            '"cooldown" is a number of seconds',
        ),
        (
            '{"n":1,"do":"open","channel":"c","target":"static:127.0.0.1:1","policy":"pick_first",'
            '"options":{"warm":true}}',
            '"warm" is unknown',
        ),
        ('{"n":1,"do":"lookup","name":"a","types":["MX"]}', "MX"),
    ],
)  # fmt: skip
def test_what_is_no_command_is_an_error_line_and_the_next_one_is_heard(command, why):
    wrong, clock = lines(command, '{"n":2,"do":"clock"}')
    assert why in wrong["error"]
    assert wrong["n"] in (0, 1)
    assert clock["n"] == 2
    assert clock["ok"]["monotonic_ns"] > 0


def test_nothing_else_is_said_on_the_command_line():
    done = subprocess.run([*COMMAND, "static:127.0.0.1:1"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "standard input" in done.stderr


def test_the_end_of_its_input_ends_it_and_what_is_under_way(channel, served):
    client = channel()
    client.wait_ready()
    served.close()
    with pytest.raises(ServedError, match="is gone: it was closed"):
        client.greet()


def test_one_that_dies_is_told_in_words(channel, served):
    client = channel()
    client.wait_ready()
    served._process.kill()
    with pytest.raises(ServedError, match="this machine is gone"):
        client.load(1_000_000)


def test_one_that_does_not_start_is_told_in_words():
    with pytest.raises(ServedError, match=r"nowhere is gone: .*nonsense"):
        Served([COMMAND[0], "--nonsense"], "nowhere")
    with pytest.raises(ServedError, match="start greet-client in nowhere"):
        Served(["/nonexistent"], "nowhere")


def test_another_version_is_refused(tmp_path):
    other = 'echo \'{"greet_client":"0.0.1","world":"KUBE"}\'; cat >/dev/null'
    with pytest.raises(ServedError, match=r"of version 0\.0\.1.*build the image anew"):
        Served(["sh", "-c", other], "a pod")


def test_ctrl_c_gives_up_what_is_under_way_there(channel):
    client = channel()
    client.wait_ready()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        client.load(1_000_000, every=0.01)
    ended = len(client.trace.of("CallEnded"))
    assert ended == len(client.trace.of("CallStarted")) < 1000
    assert client.greet().ok == 1
