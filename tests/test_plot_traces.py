"""The figures of traces and lookups: what stands where."""

import dns.message
import dns.rrset
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text

import greetlab as gl
from greetlab.views.palette import FAILED, STYLES
from greetlab.views.plot.connection_lane import MOST_ROWS
from greetlab.views.plot.packet import packet_fields
from greetlab.views.plot.state_bars import COLORS

HEADLESS = "greetserver-headless"


def sim(pods=3, **options):
    return gl.Cluster.sim(pods, seed=5, **options)


def axes_of(figure, label):
    return [axes for axes in figure.axes if axes.get_label() == label]


def words(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def labels(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def bars(axes):
    """Every bar: its colour, row, begin and end."""
    found = []
    for collection in axes.collections:
        if isinstance(collection, PathCollection):  # the shapes beside the labels
            continue
        for path in collection.get_paths():
            if len(path.vertices) == 5:
                (left, low), (right, high) = path.vertices.min(axis=0), path.vertices.max(axis=0)
                color = to_hex(collection.get_facecolor()[0]).upper()
                found.append((color, round((low + high) / 2), left, right))
    return found


def line(axes, label):
    [found] = [found for found in axes.lines if found.get_label() == label]
    seen = np.isfinite(np.asarray(found.get_xdata(), float))
    return np.asarray(found.get_xdata())[seen], np.asarray(found.get_ydata())[seen]


@pytest.fixture(scope="module")
def killed():
    """pod-2 is killed at 5 s and comes back at 17 s."""
    cluster = sim()
    channel = cluster.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    channel.start(400, every=0.1)
    cluster.run(5.0 - cluster.seconds)
    cluster.kill("pod-2")
    cluster.run(12)
    cluster.restart("pod-2")
    cluster.run(23)
    return channel.trace


# lanes


def test_a_connection_is_a_bar_from_open_to_the_end_in_its_pods_colour():
    channel = sim().channel(HEADLESS, policy="round_robin")
    channel.greet(times=9)
    trace = channel.trace
    [lane] = axes_of(gl.plot.lanes(trace), "connections")
    assert labels(lane) == ["pod-1", "pod-2", "pod-3"]
    drawn = sorted(bars(lane), key=lambda bar: bar[1])
    assert [bar[0] for bar in drawn] == [style.color for style in STYLES[:3]]
    # The pod of each connection is who answered on it.
    pods = {e.connection: e.pod for e in trace.of(gl.CallEnded)}
    up = {pods[e.connection]: e.seconds for e in trace.of(gl.Connected)}
    assert [bar[2] for bar in drawn] == pytest.approx([up[f"pod-{n}"] for n in (1, 2, 3)])
    assert all(bar[3] >= trace[len(trace) - 1].seconds for bar in drawn)


def test_two_traces_stand_side_by_side_on_one_scale():
    traces = []
    for service, policy in (("greetserver", "pick_first"), (HEADLESS, "round_robin")):
        channel = sim().channel(service, policy=policy)
        channel.greet(times=12)
        traces.append(channel.trace)
    figure = gl.plot.lanes(*traces, titles=("ClusterIP", "headless"))
    one, three = axes_of(figure, "connections")
    assert (one.get_title("left"), three.get_title("left")) == ("1 connection", "3 connections")
    assert one.get_xlim() == three.get_xlim()
    assert one.get_ylim() == three.get_ylim()  # bars of the same height
    assert len(bars(one)) == 1
    assert words(one) == ["10.96.0.1"]  # all that the client sees of it
    left, right = axes_of(figure, "requests")
    assert labels(left) == labels(right) == ["pod-1", "pod-2", "pod-3"]
    assert sorted(len(marks.get_xdata()) for marks in left.lines) == [0, 0, 12]
    assert all(len(marks.get_xdata()) > 1 for marks in right.lines)
    dns = [words(axes) for axes in axes_of(figure, "dns")]
    assert dns == [["10.96.0.1"], ["10.244.0.2, .3, .4"]]
    assert "ClusterIP: DNS: 1 address; 1 connection; 12 requests: 1 pod" in figure.alt
    assert "SIM" in [text.get_text() for text in figure.texts]


def test_a_request_is_marked_when_it_is_sent():
    channel = sim().channel(HEADLESS, policy="round_robin")
    channel.greet(times=9)
    [lane] = axes_of(gl.plot.lanes(channel.trace), "requests")
    drawn = sorted(np.concatenate([marks.get_xdata() for marks in lane.lines]))
    assert drawn == pytest.approx(channel.trace.of(gl.Picked).seconds)


def test_what_is_in_flight_is_hollow_on_its_pods_row():
    cluster = sim()
    channel = cluster.channel("greetserver")
    [pod] = channel.greet(times=3).by_pod
    channel.start(1)
    figure = gl.plot.lanes(cluster.trace)
    [lane] = axes_of(figure, "requests")
    [hollow] = [marks for marks in lane.lines if marks.get_label() == "in flight"]
    assert labels(lane)[int(hollow.get_ydata()[0])] == pod
    assert hollow.get_markerfacecolor() == "white"
    assert "4 requests: 1 pod, 1 not ended" in figure.alt


def test_a_broken_connection_has_its_cross_and_failed_attempts_follow_on_its_row(killed):
    figure = gl.plot.lanes(killed)
    [lane] = axes_of(figure, "connections")
    lost = killed.first(gl.ConnectionLost)
    (x,), (row,) = line(lane, "broken")
    assert x == pytest.approx(lost.seconds)
    assert labels(lane)[int(row)] == "pod-2"
    tried, rows = line(lane, "failed")
    assert tried == pytest.approx(killed.of(gl.ConnectFailed).seconds)
    assert set(rows) == {row}
    assert "pod-2 killed; pod-2 started" in figure.alt
    [top] = [axes for axes in figure.axes if "pod-2 killed" in words(axes)]
    assert words(top) == ["pod-2 killed", "pod-2 started"]


def test_a_connection_that_ends_in_order_looks_different():
    cluster = sim(max_connection_age=10)
    channel = cluster.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    channel.start(150, every=0.1)
    cluster.run(15)
    [lane] = axes_of(gl.plot.lanes(channel.trace), "connections")
    ended, _ = line(lane, "ended in order")
    assert sorted(ended) == pytest.approx(channel.trace.of(gl.ConnectionLost).seconds)
    assert not len(line(lane, "broken")[0])


def test_a_view_shows_the_connections_that_were_open_before_it(killed):
    [lane] = axes_of(gl.plot.lanes(killed.between(30, 35)), "connections")
    assert sorted(labels(lane)) == ["pod-1", "pod-2", "pod-3"]
    assert len(bars(lane)) == 3


def test_a_lookup_without_addresses_is_red_and_says_why():
    cluster = sim(1)
    cluster.kill("pod-1")
    channel = cluster.channel(HEADLESS)
    channel.greet()
    [lane] = axes_of(gl.plot.lanes(channel.trace), "dns")
    assert lane.get_title("left") == "DNS: NXDOMAIN"
    assert FAILED.color in [bar[0] for bar in bars(lane)]


def test_too_many_connections_are_counted():
    cluster = sim()
    channel = cluster.channel("greetserver", connection_per_call=True)
    channel.load(MOST_ROWS + 50, 8)
    figure = gl.plot.lanes(cluster.trace)
    [lane] = axes_of(figure, "connections")
    assert lane.get_ylabel() == "open"
    assert len(lane.collections) == 3  # an area for each pod
    assert f"{MOST_ROWS + 50} connections" in figure.alt


def test_pods_that_have_not_answered_are_named_as_the_trace_or_the_cluster_says():
    cluster = sim()
    channel = cluster.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    whole = channel.trace
    # As a client in a cluster writes it, to whom nobody tells of pods.
    alone = gl.Trace(whole.core, whole.rows).without(["cluster"])
    for trace, world in ((whole, None), (alone, cluster)):
        lane = axes_of(gl.plot.lanes(trace, cluster=world), "connections")[0]
        assert sorted(labels(lane)) == ["pod-1", "pod-2", "pod-3"]


def test_no_client_no_lanes_and_titles_fit():
    cluster = sim()
    with pytest.raises(ValueError, match="no client does anything"):
        gl.plot.lanes(cluster.trace)
    cluster.channel("greetserver").greet()
    with pytest.raises(ValueError, match="1 traces, one title each"):
        gl.plot.lanes(cluster.trace, titles=("a", "b"))


# states


def test_states_are_bars_with_attempts_backoffs_and_the_cooldown(killed):
    figure = gl.plot.states(killed)
    [axes] = axes_of(figure, "states")
    names = ["channel", "pod-1  10.244.0.2", "pod-2  10.244.0.3", "pod-3  10.244.0.4", "resolver"]
    assert labels(axes) == names
    address = "10.244.0.3:50051"
    second = killed.first(gl.SubchannelCreated, address=address).subchannel
    failed = killed.of(gl.SubchannelStateChanged, subchannel=second, to="TRANSIENT_FAILURE").seconds
    drawn = [begin for color, row, begin, _ in bars(axes) if (color, row) == (COLORS[3], 2)]
    assert drawn == pytest.approx(failed)
    tried = np.concatenate([a.get_xdata() for a in axes.lines if a.get_label() == "attempts"])
    assert sorted(tried) == pytest.approx(killed.of(gl.ConnectStarted).seconds)
    waits = killed.of(gl.BackoffStarted)
    under = [c.get_segments()[0] for c in axes.collections if c.get_label() == "backoff"]
    assert [ends[:, 0].tolist() for ends in under] == [
        pytest.approx([e.seconds, e.until / 1e9]) for e in waits
    ]
    cooldown = killed.first(gl.CooldownStarted)
    [band] = [bar for bar in bars(axes) if bar[1] == 4]
    assert band[2:] == pytest.approx((cooldown.seconds, cooldown.until / 1e9))
    assert "25 s of cooldown left" in words(axes)  # of 30, and of no other cooldown
    assert "pod-2  10.244.0.3: 7 attempts, READY in the end" in figure.alt


def test_a_subchannel_of_the_cluster_ip_has_no_pod():
    channel = sim().channel("greetserver")
    channel.greet(times=3)
    [axes] = axes_of(gl.plot.states(channel.trace), "states")
    assert labels(axes) == ["channel", "10.96.0.1", "resolver"]


def test_many_subchannels_are_counted_by_their_state():
    cluster = sim(100)
    channel = cluster.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    for number in range(1, 41):
        cluster.kill(f"pod-{number}")
    cluster.run(0.5)
    figure = gl.plot.states(channel.trace)
    [counts] = axes_of(figure, "counts")
    assert counts.get_ylim()[1] >= 100
    assert "60 READY" in figure.alt
    assert "40 TRANSIENT_FAILURE" in figure.alt


def test_no_subchannel_no_states():
    with pytest.raises(ValueError, match="no client has a subchannel"):
        gl.plot.states(sim().trace)


# latency


def test_each_load_has_its_percentiles_and_its_failures():
    cluster = sim()
    channel = cluster.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    good = channel.load(300, 4)
    cluster.fail("pod-1", 1)
    bad = channel.load(30, 4)
    figure = gl.plot.latency({"all is well": good, "one fails": bad})
    [axes] = axes_of(figure, "latency")
    assert labels(axes) == ["all is well", "one fails"]
    for percent in (50, 99):
        lines = [c.get_segments()[0] for c in axes.collections if c.get_label() == f"p{percent}"]
        assert [ends[0, 0] for ends in lines] == pytest.approx(
            [load.percentile(percent) * 1e3 for load in (good, bad)]
        )
    failed = len(bad) - bad.ok
    assert failed
    assert f"{bad.ok}\n{failed} failed" in words(axes)
    assert labels(gl.plot.latency([good]).axes[0]) == [good.title]


def test_loads_in_which_nothing_succeeded_are_shown():
    cluster = sim(1)
    cluster.kill("pod-1")
    figure = gl.plot.latency([cluster.channel("greetserver").load(5)])
    assert "none succeeded, 5 failed" in figure.alt
    figure.png()


@pytest.mark.parametrize("wrong", [[], {}, [1], {"a": None}])
def test_latency_needs_loads(wrong):
    with pytest.raises(ValueError, match=r"plot.latency\(\) needs"):
        gl.plot.latency(wrong)


# lookup


def test_a_lookup_goes_from_the_name_to_the_pods():
    cluster = sim()
    figure = gl.plot.lookup(
        cluster.lookup("greetserver"), cluster.lookup(HEADLESS), cluster=cluster
    )
    virtual, real = axes_of(figure, "way")
    assert words(virtual)[:2] == ["greetserver", "10.96.0.1"]
    assert "a virtual address, no pod's" in words(virtual)
    assert words(real) == [
        HEADLESS, "10.244.0.2", "pod-1", "10.244.0.3", "pod-2", "10.244.0.4", "pod-3",
    ]  # fmt: skip
    assert [marks.get_color() for marks in real.lines] == [style.color for style in STYLES[:3]]
    assert not axes_of(figure, "packet")  # there are no bytes in the sim
    assert "10.244.0.3 (pod-2)" in figure.alt


def test_each_question_is_a_bar_as_long_as_its_round_trip():
    answer = sim().lookup("nobody")
    [axes] = axes_of(gl.plot.lookup(answer), "queries")
    assert labels(axes) == [f"{query.type}  {query.name}" for query in answer.queries]
    drawn = sorted(bars(axes), key=lambda bar: bar[1])
    took = [query.round_trip_ns / 1e9 for query in answer.queries]
    assert [end - begin for _, _, begin, end in drawn] == pytest.approx(took)
    assert all(text.startswith("NXDOMAIN") for text in words(axes))


def test_the_packet_is_taken_apart_to_the_last_byte():
    with gl.Cluster.local(pods=2, seed=1) as cluster:
        answer = cluster.lookup(HEADLESS)
        figure = gl.plot.lookup(answer, cluster=cluster)
    reply = next(query.reply for query in answer.queries if query.status == "ok")
    fields = packet_fields(reply)
    assert b"".join(field.octets for field in fields) == reply
    told = {(field.section, field.name): field.meaning for field in fields}
    assert told["header", "answers"] == "2"
    assert told["question", "name"] == f"{HEADLESS}.default.svc.cluster.local."
    assert {told["answer 1", "data"], told["answer 2", "data"]} == set(answer.addresses)
    assert told["answer 1", "name"].endswith("(see byte 12)")
    assert not axes_of(gl.plot.lookup(answer, cluster=cluster, packet=False), "packet")
    [table] = axes_of(figure, "packet")
    assert set(answer.addresses) <= set(words(table))
    assert "LOCAL" in [text.get_text() for text in figure.texts]


def test_a_packet_with_a_cname_and_edns_is_named_field_by_field():
    question = dns.message.make_query("a.example.", "A", use_edns=0, payload=1232)
    reply = dns.message.make_response(question)
    reply.answer = [
        dns.rrset.from_text("a.example.", 30, "IN", "CNAME", "b.example."),
        dns.rrset.from_text("b.example.", 5, "IN", "A", "10.0.0.7"),
    ]
    wire = reply.to_wire()
    fields = packet_fields(wire)
    assert b"".join(field.octets for field in fields) == wire
    header = ["id", "flags", "questions", "answers", "authority", "additional"]
    record = ["name", "type", "class", "ttl", "length"]
    assert [field.name for field in fields] == [
        *header, "name", "type", "class", *record, "data", *record, "data", *record,
    ]  # fmt: skip
    told = {(field.section, field.name): field.meaning for field in fields}
    assert told["answer 1", "data"] == "b.example."
    assert (told["answer 2", "ttl"], told["answer 2", "length"]) == ("5 s", "4 bytes")
    assert told["additional", "class"] == "takes 8192 bytes over UDP"


def test_what_is_no_message_is_said():
    with pytest.raises(ValueError, match="these 5 bytes are no DNS message"):
        packet_fields(b"hello")


def test_lookup_needs_a_lookup():
    with pytest.raises(ValueError, match="at least one Lookup"):
        gl.plot.lookup()


# A lot of it.


def test_every_figure_of_a_big_trace_can_be_drawn():
    cluster = sim(10, trace_capacity=500_000)
    channel = cluster.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    calls = channel.load(100_000)
    trace = channel.trace
    for figure in (
        gl.plot.requests(trace), gl.plot.lanes(trace), gl.plot.states(trace),
        gl.plot.latency([calls]),
    ):  # fmt: skip
        assert figure.png().startswith(b"\x89PNG")


def test_rows_that_are_too_close_for_names_have_none():
    """Found: every third row had a name, which seemed to be that of the others, too."""
    cluster = gl.Cluster.sim(pods=3, seed=7, max_connection_age=5.0)
    client = cluster.channel("greetserver-headless", policy="round_robin")
    client.load(120, every=1.0)
    figure = gl.plot.lanes(client.trace, cluster=cluster)
    (lane,) = (axes for axes in figure.axes if axes.get_label() == "connections")
    assert len(lane.get_yticks()) == 0
    assert lane.get_title(loc="left").endswith("each in the colour of its pod")


def test_a_full_name_can_be_read():
    """Found: it was 8 px high."""
    cluster = gl.Cluster.sim(pods=3, seed=7)
    answer = cluster.lookup("greetserver-headless.default.svc.cluster.local")
    figure = gl.plot.lookup(answer, cluster=cluster)
    (name,) = (t for t in figure.findobj(Text) if t.get_text().startswith("greetserver-headless"))
    assert name.get_text() == "greetserver-headless\n.default.svc.cluster.local"
    assert name.get_fontsize() >= 10
