"""Whether the other end is still there: PINGs (gRFC A8), TCP_USER_TIMEOUT (A18), too many PINGs."""

import socket
import struct
import threading
import time

import pytest
from h2.settings import SettingCodes
from http2_server import serving
from support import free_ip, stop_process, wait_until

import greetlab as gl
from greetlab.channels.channel import Channel

ENHANCE_YOUR_CALM = 0xB


def kinds(event):
    """The kinds of an event and of what it follows from, the event first."""
    found = []
    while event is not None:
        found.append(event.kind)
        event = event.cause
    return found


# --- The sim -------------------------------------------------------------------------------------


def test_a_lost_pod_is_found_out_by_a_ping_and_the_trace_says_so():
    cluster = gl.Cluster.sim(1, seed=7)
    channel = cluster.channel("greetserver-headless", keepalive_time=10.0)
    cluster.slow("pod-1", 3600.0)
    load = channel.start(1, timeout=1e6)
    cluster.run(5)  # it has the request: TCP waits for nothing
    cluster.lose("pod-1")
    cluster.run(60)
    lost = cluster.trace.first("ConnectionLost")
    up = cluster.trace.first("Connected")
    assert lost.seconds - up.seconds == pytest.approx(30, abs=0.01)
    assert kinds(lost)[1:4] == ["PingUnanswered", "PingSent", "Connected"]
    assert lost.reason == "no answer to a keepalive PING in 20s"
    assert channel.calls(load).by_status == {"UNAVAILABLE": 1}
    assert "has not answered the PING for 20s" in str(lost.cause)


def test_without_keepalive_a_call_that_only_waits_never_finds_out():
    cluster = gl.Cluster.sim(1, seed=7)
    channel = cluster.channel("greetserver-headless")
    cluster.slow("pod-1", 1e6)
    channel.start(1, timeout=1e6)
    cluster.run(5)
    cluster.lose("pod-1")
    cluster.run(900_000)
    assert not len(cluster.trace.of("ConnectionLost"))


def test_a_pod_that_answers_keeps_its_connection_and_the_pings_are_told():
    cluster = gl.Cluster.sim(1, seed=7)
    channel = cluster.channel("greetserver-headless", keepalive_time=600.0)
    cluster.slow("pod-1", 3600.0)
    channel.start(1, timeout=1e6)
    cluster.run(3000)
    sent, answered = cluster.trace.of("PingSent"), cluster.trace.of("PingAnswered")
    assert len(sent) == len(answered) == 4
    assert answered[0].cause.id == sent[0].id
    assert answered[0].round_trip == pytest.approx(0.5e6, rel=0.3)
    assert "answers the PING" in str(answered[0])
    assert not len(cluster.trace.of("ConnectionLost"))


def test_what_comes_puts_the_ping_off():
    cluster = gl.Cluster.sim(1, seed=7)
    channel = cluster.channel("greetserver-headless", keepalive_time=10.0)
    channel.start(100, every=9.0)
    cluster.run(900)
    assert not len(cluster.trace.of("PingSent"))


def test_no_ping_while_nobody_calls_and_one_at_once_when_somebody_does():
    """A8: the keepalive time is not counted anew when a connection becomes active."""
    cluster = gl.Cluster.sim(1, seed=7)
    channel = cluster.channel("greetserver-headless", keepalive_time=10.0)
    channel.greet("Ada")
    cluster.run(1000)
    assert not len(cluster.trace.of("PingSent"))
    channel.greet("Ada")
    assert cluster.trace.first("PingSent").seconds == cluster.trace.last("CallStarted").seconds


def test_with_keepalive_unacknowledged_data_ends_a_connection_after_its_timeout():
    """A18: TCP_USER_TIMEOUT, where TCP's own patience would be 948 s (found W11)."""
    cluster = gl.Cluster.sim(1, seed=7)
    channel = cluster.channel("greetserver-headless", keepalive_time=300.0, keepalive_timeout=5.0)
    channel.greet("Ada")
    cluster.lose("pod-1")
    calls = channel.greet("Ada", timeout=60.0)
    assert calls.by_status == {"UNAVAILABLE": 1}
    lost = cluster.trace.first("ConnectionLost")
    assert lost.reason == "Connection timed out"
    assert lost.seconds - cluster.trace.last("Picked").seconds == pytest.approx(5.0)


def test_pods_have_enough_after_three_pings_too_many_and_the_channel_asks_less():
    cluster = gl.Cluster.sim(1, seed=7)
    channel = cluster.channel(
        "greetserver-headless",
        policy="round_robin",
        keepalive_time=10.0,
        keepalive_without_calls=True,
        idle_timeout=0,
    )
    channel.wait_ready()
    cluster.run(600)
    calmed = cluster.trace.of("GoAwayReceived")
    assert {(e.error, e.debug) for e in calmed} == {("ENHANCE_YOUR_CALM", "too_many_pings")}
    throttled = cluster.trace.of("KeepaliveThrottled")
    assert [e.every / 1e9 for e in throttled] == [20, 40, 80]
    assert throttled[0].cause.id == calmed[0].id
    first = [e.seconds for e in cluster.trace.of("PingSent", connection=1)]
    assert len(first) == 4  # the first one is no strike, two are let go
    second = [e.seconds for e in cluster.trace.of("PingSent", connection=2)]
    assert second[1] - second[0] == pytest.approx(20, abs=0.01)


# --- Real connections ----------------------------------------------------------------------------


def test_a_pod_that_falls_silent_is_found_out_by_a_ping():
    with gl.Cluster.local(1) as cluster:
        options = {"keepalive_time": 0.1, "keepalive_timeout": 0.3}
        with cluster.channel("greetserver-headless", **options) as channel:
            channel.greet("Ada")
            stop_process(cluster._pods.by_name["pod-1"].server.popen.pid)
            begun = time.monotonic()
            calls = channel.greet("Ada", timeout=10.0)
            took = time.monotonic() - begun
            assert calls.by_status == {"UNAVAILABLE": 1}
            assert "no answer to a keepalive PING in 300ms" in calls.errors
            lost = channel.trace.first("ConnectionLost")
            assert kinds(lost)[1:4] == ["PingUnanswered", "PingSent", "Connected"]
            assert 0.29 < took < 2


def test_a_real_server_has_enough_of_pings_and_the_channel_asks_less():
    """The greet-server is gRPC's: it lets two PINGs too many pass, and no more."""
    with gl.Cluster.local(1) as cluster:
        options = {"keepalive_time": 0.02, "keepalive_without_calls": True}
        with cluster.channel("greetserver", policy="round_robin", **options) as channel:
            channel.wait_ready()
            wait_until(lambda: len(channel.trace.of("KeepaliveThrottled")) >= 2)
            said = channel.trace.first("GoAwayReceived")
            assert (said.error, said.debug) == ("ENHANCE_YOUR_CALM", "too_many_pings")
            throttled = channel.trace.of("KeepaliveThrottled")
            assert [e.every / 1e9 for e in list(throttled)[:2]] == [0.04, 0.08]
            pings = channel.trace.of("PingSent", connection=said.connection)
            assert len(pings) == 4
            assert channel.greet("Ada").by_status == {"OK": 1}


@pytest.mark.parametrize(
    ("error", "debug", "throttles"),
    [
        (ENHANCE_YOUR_CALM, b"too_many_pings", True),
        (ENHANCE_YOUR_CALM, b"too many pings", False),
        (ENHANCE_YOUR_CALM, b"", False),
        (0, b"too_many_pings", False),
    ],
)
def test_code_and_debug_data_together_are_the_evidence(error, debug, throttles):
    def calms(peer):
        peer.answer(peer.request())
        peer.go_away(1, error, debug)

    def answers(peer):
        while True:
            peer.answer(peer.request())

    with serving(calms, answers) as target, Channel(target, keepalive_time=100.0) as channel:
        channel.greet("Ada")
        wait_until(lambda: len(channel.trace.of("ConnectionLost")))
        assert bool(len(channel.trace.of("KeepaliveThrottled"))) == throttles
        assert channel.greet("Ada").by_status == {"OK": 1}


def test_any_byte_is_a_sign_of_life():
    """A server that does not answer PINGs but says something is not dead (A8)."""

    def murmurs(peer):
        stream = peer.request()
        for _ in range(12):  # and reads nothing, so h2 answers no PING
            time.sleep(0.05)
            peer.socket.sendall(b"\x00\x00\x08\x06\x00\x00\x00\x00\x00murmurs!")  # its own PING
        peer.answer(stream)
        peer.request()  # there is none: until the client hangs up

    options = {"keepalive_time": 0.05, "keepalive_timeout": 0.2}
    with serving(murmurs) as target, Channel(target, **options) as channel:
        assert channel.greet("Ada", timeout=5.0).by_status == {"OK": 1}
        assert not len(channel.trace.of("PingUnanswered"))


def test_what_a_peer_does_not_take_ends_the_connection_after_the_keepalive_timeout():
    """TCP_USER_TIMEOUT (A18): a window that stays shut counts as unacknowledged data, too."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind((free_ip(), 0))
        listener.listen()
        target = "static:{}:{}".format(*listener.getsockname())
        options = {"keepalive_time": 1000.0, "keepalive_timeout": 0.3}
        with Channel(target, **options) as channel:
            big = 4 * 1024 * 1024

            def stalls():
                connection, _ = listener.accept()
                window = struct.pack(">HI", SettingCodes.INITIAL_WINDOW_SIZE, big)
                connection.sendall(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00" + window)
                update = struct.pack(">I", big)
                connection.sendall(b"\x00\x00\x04\x08\x00\x00\x00\x00\x00" + update)
                held.append(connection)  # and reads nothing

            held = []
            thread = threading.Thread(target=stalls)
            thread.start()
            channel.wait_ready()
            thread.join()
            calls = channel.greet("A" * 3_000_000, timeout=10.0)
            assert calls.by_status == {"UNAVAILABLE": 1}
            lost = channel.trace.first("ConnectionLost")
            assert lost.reason == "Connection timed out"
            assert 0.3 <= lost.seconds - channel.trace.first("Picked").seconds < 5
            held[0].close()
