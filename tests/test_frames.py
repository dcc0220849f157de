"""HTTP/2 frames as facts: what a trace has of them, how they are drawn, what is refused."""

import json
import re
import socket
import subprocess
import threading

import pytest
from support import wait_until

import greetlab as gl
from greetlab.channels.channel import Channel
from greetlab.executables import path
from greetlab.text import lines
from greetlab.trace.trace import FRAME_TYPES
from greetlab.views.widget.pack import pack, unpack

CALL = [  # PROTOCOL-HTTP2.md
    (True, "HEADERS", "END_HEADERS"),
    (True, "DATA", "END_STREAM"),
    (False, "HEADERS", "END_HEADERS"),
    (False, "DATA", ""),
    (False, "HEADERS", "END_STREAM|END_HEADERS"),
]


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=31) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def busy(cluster):
    """60 calls at once on one connection."""
    with cluster.channel("greetserver", frames=True) as channel:
        assert channel.load(60, concurrency=60).ok == 60
        return channel.trace


@pytest.fixture(scope="module")
def shared(cluster):
    """60 calls over three connections."""
    with cluster.channel("greetserver-headless", policy="round_robin", frames=True) as channel:
        channel.wait_ready(all=True).load(60, concurrency=20)
        return channel.trace


def flags(event):
    """Its flags, as its sentence has them."""
    return re.search(r"bytes?(?:, (.*))?$", event.sentence)[1] or ""


def streams(trace, **fields):
    return [event.stream for event in trace.of("FrameSeen", **fields)]


def test_a_unary_call_is_five_frames(cluster):
    with cluster.channel("greetserver", frames=True) as channel:
        channel.greet("Ada")
        trace = channel.trace
    call = list(trace.of("FrameSeen", stream=1))
    assert [(frame.sent, frame.type, flags(frame)) for frame in call] == CALL
    picked = trace.last("Picked")
    assert {(frame.cause.id, frame.call) for frame in call} == {(picked.id, picked.call)}
    assert call[-1].id < trace.last("CallEnded").id  # told before what comes of it
    assert b"Ada" in bytes.fromhex(call[1].payload)
    address = trace.last("SubchannelCreated").address
    assert call[1].sentence == (
        f"client-1 \u2192 {address}: DATA, stream 1, {call[1].length} bytes, END_STREAM"
    ).replace("client-1", channel.name)
    assert call[2].sentence.startswith(f"{address} \u2192 {channel.name}: HEADERS, stream 1, ")


def test_a_connection_begins_with_its_preface_and_both_ends_settings(busy):
    begin = list(busy.of("FrameSeen", stream=0))
    sent = [frame for frame in begin if frame.sent]
    assert [frame.type for frame in sent[:3]] == ["PREFACE", "SETTINGS", "WINDOW_UPDATE"]
    assert bytes.fromhex(sent[0].payload) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    assert {frame.cause.kind for frame in begin} == {"ConnectStarted", "Connected"}
    theirs = busy.first("FrameSeen", sent=False)
    assert (theirs.type, theirs.stream, theirs.flags) == ("SETTINGS", 0, 0)
    assert theirs.id < busy.first("Connected").id
    assert flags(busy.last("FrameSeen", type="SETTINGS", sent=True)) == "ACK"


def test_sixty_calls_share_one_connection(busy):
    assert len(set(busy.column("FrameSeen", "connection").tolist())) == 1
    assert streams(busy, type="HEADERS", sent=True) == list(
        range(1, 120, 2)
    )  # odd, and increasing (RFC 9113 5.1.1)
    assert len({frame.call for frame in busy.of("FrameSeen") if frame.stream}) == 60
    # The last call began before the first was answered: no answer holds the others up.
    order = streams(busy)
    first_answer = next(i for i, f in enumerate(busy.of("FrameSeen")) if f.stream and not f.sent)
    assert set(range(1, 120, 2)) <= set(order[:first_answer])


class Relay:
    """Hands bytes on between one client and a server, and counts them."""

    def __init__(self, to):
        self.moved = [0, 0]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._to = to
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        client, _ = self._listener.accept()
        server = socket.create_connection(self._to)
        other = threading.Thread(target=self._hand_on, args=(server, client, 1))
        other.start()
        self._hand_on(client, server, 0)
        other.join()
        client.close()
        server.close()

    def _hand_on(self, source, sink, way):
        while data := source.recv(1 << 16):
            self.moved[way] += len(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def close(self):
        self._threads[0].join()
        self._listener.close()


def test_lengths_add_up_to_the_bytes_that_moved(cluster):
    relay = Relay((cluster.pods[0].ip, cluster.port))
    with Channel(f"static:127.0.0.1:{relay.port}", frames=True) as channel:
        channel.load(40, concurrency=8)

        def told():
            moved = {True: 0, False: 0}
            for frame in channel.trace.of("FrameSeen"):
                moved[frame.sent] += frame.length + 9 * (frame.type != "PREFACE")
            return [moved[True], moved[False]]

        wait_until(lambda: told() == relay.moved)  # the last WINDOW_UPDATE may be on its way
        assert min(relay.moved) > 1000
    relay.close()


def test_off_is_none_and_others_have_none(cluster):
    with cluster.channel("greetserver") as channel:
        channel.greet("Ada", times=3)
        assert "FrameSeen" not in channel.trace.counts()
    with pytest.raises(ValueError, match="frames: the engine 'grpc' cannot be told; the engine"):
        cluster.channel("greetserver", frames=True, engine="grpc")
    sim = gl.Cluster.sim(pods=1)
    with pytest.raises(ValueError, match=r"frames: nothing is put on a wire in the sim.*local"):
        sim.channel("greetserver", frames=True)


def test_goaway_and_ping_are_seen_where_a_pod_ends():
    with gl.Cluster.local(pods=1, seed=5, pre_stop=0) as cluster:
        channel = cluster.channel("greetserver-headless", frames=True)
        # What is in flight keeps the connection; its first message says that the pod has begun it.
        watching = threading.Thread(
            target=channel.call_method,
            args=("/grpc.health.v1.Health/Watch", b""),
            kwargs={"stream": True, "timeout": 30},
        )
        watching.start()
        wait_until(lambda: channel.trace.of("FrameSeen", type="DATA", sent=False))
        cluster.drain("pod-1")
        wait_until(lambda: channel.trace.of("FrameSeen", type="PING", sent=False))
        trace = channel.trace
        channel.close()
        watching.join()
    goaway = trace.first("FrameSeen", type="GOAWAY")
    assert not goaway.sent
    assert goaway.stream == 0
    last_stream = int(goaway.payload[:8], 16)
    assert last_stream == trace.first("GoAwayReceived").last_stream
    assert goaway.id < trace.first("GoAwayReceived").id
    # gRPC's server asks whether its first GOAWAY has come, before it says the second.
    assert trace.first("FrameSeen", type="PING", sent=False).id > goaway.id


def test_a_saved_trace_has_the_same_frames(busy, tmp_path):
    busy.save(tmp_path / "trace")
    again = gl.Trace.load(tmp_path / "trace")
    assert [e.fields for e in again.of("FrameSeen")] == [e.fields for e in busy.of("FrameSeen")]
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "trace").read_bytes()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"type": "HEADER"}, 'field "type" is not one of its words: "HEADER"'),
        ({"type": 1}, 'field "type" is not a word'),
        ({"flags": 256}, 'field "flags" is out of range'),
        ({"length": 2**24}, r'field "length" is above 2\^24 - 1'),
        ({"stream": 2**31}, r'field "stream" is above 2\^31 - 1'),
        ({"payload": "<b>"}, "not the two digits a byte"),
        ({"payload": "00" * 3}, "not the two digits a byte"),
        ({"payload": "XX" * 24}, "not in hex digits"),
        ({"sent": 1}, 'field "sent" is neither true nor false'),
    ],
)
def test_what_no_frame_can_have_is_refused(busy, tmp_path, wrong, why):
    busy.of("FrameSeen").save(tmp_path / "trace")
    head, first, *rest = (tmp_path / "trace").read_text().splitlines()
    frame = {**json.loads(first), **wrong}
    (tmp_path / "trace").write_text("\n".join([head, json.dumps(frame), *rest]) + "\n")
    with pytest.raises(ValueError, match=f"line 2: .*{why}"):
        gl.Trace.load(tmp_path / "trace")


def test_the_picture_has_every_stream_of_every_pod(busy, shared):
    one = gl.plot.frames(busy)
    assert re.search(r"one connection: 60 streams, \d+ frames, [\d,]+ bytes", one.alt)
    three = gl.plot.frames(shared)
    assert len(three.axes) == 3
    assert [axes.get_label() for axes in three.axes] == ["pod-1", "pod-2", "pod-3"]
    ticks = [text.get_text() for text in three.axes[0].get_yticklabels()]
    assert ticks[1:3] == ["pod-1 \u2192", "stream 1"]
    shapes = [text.get_text() for text in three.legends[0].get_texts()]
    assert {"HEADERS", "DATA", "SETTINGS", "PREFACE", "sent", "received"} <= set(shapes)
    assert len(one.png()) > 10_000


def test_the_picture_needs_frames(cluster):
    with cluster.channel("greetserver") as channel:
        channel.greet("Ada")
        with pytest.raises(ValueError, match=r"no frames in .*frames=True"):
            gl.plot.frames(channel.trace)


def test_the_picture_takes_any_name_as_text(busy, tmp_path):
    busy.save(tmp_path / "trace")
    text = (tmp_path / "trace").read_text()
    name = busy.last("CallEnded").pod
    hostile = json.dumps("$\\frac{[/]\u202e\n")[1:-1]
    (tmp_path / "trace").write_text(text.replace(f'"{name}"', f'"{hostile}"'))
    picture = gl.plot.frames(gl.Trace.load(tmp_path / "trace"))
    assert picture.alt == lines([picture.alt])
    assert "\u202e" not in picture.alt
    picture.png()


def test_the_page_has_them(busy):
    header, columns = unpack(pack(busy))
    assert header["frame_types"] == FRAME_TYPES[:10]
    assert len(columns["frames.start"]) == len(busy.of("FrameSeen"))
    assert set(columns["frames.connection"].tolist()) == {0}
    assert sorted(set(columns["frames.call"].tolist())) == list(range(-1, 60))


def test_greet_client_and_greetlab_trace_tell_them(cluster, tmp_path):
    kept = tmp_path / "trace"
    target = f"static:{cluster.pods[0].ip}:{cluster.port}"
    subprocess.run(
        [path("greet-client"), "--frames", "--trace", kept, target], check=True,
        capture_output=True, timeout=10,
    )  # fmt: skip
    trace = gl.Trace.load(kept)
    assert [e.type for e in trace.of("FrameSeen", stream=1)] == [kind for _, kind, _ in CALL]
    assert "DATA, stream 1, " in trace.story()
