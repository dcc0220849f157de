"""A guess before the run, and the guess drawn over it."""

import pytest
from matplotlib.text import Text

import greetlab as gl
from greetlab.views.plot import Picture


@pytest.fixture(scope="module")
def cluster():
    return gl.Cluster.sim(pods=3, seed=3)


@pytest.fixture(scope="module")
def calls(cluster):
    return cluster.channel("greetserver").greet("Ada", times=60)


@pytest.fixture(scope="module")
def pod(calls):
    return next(iter(calls.by_pod))


def test_the_distance_is_how_many_requests_would_have_to_move(calls, pod):
    guess = gl.predict(pod_1=20, pod_2=20, pod_3=20)
    seen = guess.compare(calls)
    assert seen.distance == 40
    assert str(seen) == f"40 requests would have to move: {pod} had 60, and you said 20."


def test_a_guess_that_is_right(calls, pod):
    seen = gl.predict({pod: 60}).compare(calls)
    assert seen.distance == 0
    assert str(seen) == "Exactly: all 60 requests went where you said."


def test_whichever_pod_chance_chose(calls, pod):
    other = next(name for name in calls.known if name != pod)
    guess = gl.predict({other: 59, pod: 1})
    assert guess.compare(calls).distance == 59
    seen = guess.compare(calls, whichever=True)
    assert seen.distance == 1
    assert seen.guessed[pod] == 59
    assert str(seen).startswith("1 request would have to move: ")
    assert str(seen).endswith("had 60, and your largest number is 59.") or "second largest" in str(
        seen
    )
    assert list(seen.happened) == [pod, *(name for name in seen.happened if name != pod)]


def test_the_numbers_of_a_guess_for_no_pod_in_particular_are_not_drawn_as_one_for_a_pod(calls, pod):
    other = next(name for name in calls.known if name != pod)
    seen = gl.predict({other: 60}).compare(calls, whichever=True)
    words = {text.get_text() for text in seen.picture.findobj(Text)}
    assert "yours 60" in words
    assert not any(word.startswith("guess") or word == "your guess" for word in words)


def test_what_failed_is_said_as_such():
    cluster = gl.Cluster.sim(pods=1, seed=3)
    cluster.fail("pod-1", 1.0)
    calls = cluster.channel("greetserver").greet(times=6)
    seen = gl.predict(pod_1=6).compare(calls, whichever=True)
    assert str(seen) == "6 requests would have to move: 6 failed, and you said 0."


def test_what_you_counted_yourself():
    assert str(gl.predict(connections=2).compare({"connections": 1})) == (
        "Off by 1: 1 connection, and you said 2."
    )
    assert gl.predict(failed=3).compare({"failed": 3}).distance == 0


def test_a_total_that_cannot_be(calls):
    seen = gl.predict(pod_1=10, pod_2=10).compare(calls)
    assert str(seen) == "Your guess adds up to 20 requests, and there were 60."
    assert seen.distance >= 40


def test_requests_that_failed_are_counted(cluster):
    other = gl.Cluster.sim(pods=1, seed=3)
    other.fail("pod-1", 1.0)
    calls = other.channel("greetserver").greet(times=5)
    assert gl.predict(failed=5).compare(calls).distance == 0
    assert gl.predict(pod_1=5).compare(calls).distance == 5
    assert gl.predict(pod_1=5, failed=0).compare(calls).happened == {"pod-1": 0, "failed": 5}


def test_a_lookup_is_questions_and_addresses(cluster):
    answer = cluster.lookup("greetserver-headless")
    right = gl.predict(questions=2, addresses=3).compare(answer)
    assert (right.distance, str(right)) == (0, "Exactly: 2 questions and 3 addresses.")
    assert str(gl.predict(addresses=2).compare(cluster.lookup("greetserver"))) == (
        "Off by 1: 1 address, and you said 2."
    )
    seen = gl.predict(questions=1).compare(answer, cluster=cluster)
    assert seen.distance == 1
    assert str(seen) == "Off by 1: 2 questions, and you said 1."
    assert seen.world == "SIM"
    many = gl.predict(calls=1000).compare({"calls": 11000})
    assert str(many).startswith("Off by 10,000: 11,000 calls, and you said ")


def test_without_a_guess_it_asks_for_one_and_shows_the_run(calls):
    guess = gl.predict()
    assert "type your guess" in str(guess)
    seen = guess.compare(calls)
    assert seen.distance is None
    assert "No guess yet" in str(seen)
    assert seen.picture.alt.startswith("greetserver, pick_first: pod-1 ")


@pytest.mark.parametrize(
    ("counts", "error", "words"),
    [
        ({"pod-1": -1}, ValueError, "pod-1 -1: there is nothing less than 0"),
        ({"pod-1": 1.5}, TypeError, "pod-1 1.5: it is a whole number"),
        ({"pod-1": True}, TypeError, "whole number"),
        ({"pod-1": "many"}, TypeError, "whole number"),
        ({1: 20}, TypeError, "1 is no name of a pod"),
        ({"pod-1": 20, "pod_1": 20}, ValueError, "pod-1 is there twice"),
        (60, TypeError, r"predict\(60\): a count for each pod"),
    ],
)
def test_nonsense_is_rejected_in_words(counts, error, words):
    with pytest.raises(error, match=words):
        gl.predict(counts)


def test_a_pod_that_there_is_not(calls):
    with pytest.raises(ValueError, match="your guess has pod-9; there is pod-1, pod-2, pod-3"):
        gl.predict(pod_9=60).compare(calls)


def test_what_is_no_result(cluster):
    with pytest.raises(TypeError, match="not at SimCluster"):
        gl.predict(pod_1=60).compare(cluster)


def test_the_picture_has_bars_outlines_and_the_badge(calls, pod):
    picture = gl.predict({pod: 40}).compare(calls).picture
    assert isinstance(picture, Picture)
    (axes,) = picture.axes
    bars, outlines = axes.containers
    assert sorted(bar.get_width() for bar in bars) == [0, 0, 60]
    assert sorted(bar.get_width() for bar in outlines) == [0, 0, 40]
    assert any(text.get_text() == "SIM" for text in picture.texts)
    bundle, shown = gl.predict({pod: 40}).compare(calls)._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert shown["image/png"]["alt"] == picture.alt


def test_on_a_kubernetes_pod_1_is_the_oldest_pod():
    def line(number, fact):
        return (
            f'{{"id":{number},"cause":0,"at_ns":{number},"who":"client-1",'
            f'"certainty":"observed",{fact}}}'
        )

    pods = ("greetserver-b", "greetserver-a")
    told = [f'"fact":"PodChanged","pod":"{pod}","change":"started","address":""' for pod in pods]
    calls = [
        f'"fact":"CallEnded","call":{call},"code":"OK","connection":1,"pod":"{pod}","message":""'
        for call, pod in enumerate((pods[0], pods[0], pods[1]), 1)
    ]
    version = gl._core.trace_version()

    def trace(world):
        header = f'{{"greetlab_trace":{version},"world":"{world}","events":5,"dropped":0}}'
        lines = [line(number, fact) for number, fact in enumerate([*told, *calls], 1)]
        return gl.Trace(gl._core.Trace.parse("\n".join([header, *lines])))

    guess = gl.predict(pod_1=2, pod_2=1)
    assert guess.compare(trace("KUBE")).distance == 0
    with pytest.raises(ValueError, match="your guess has pod-1, pod-2"):
        guess.compare(trace("LOCAL"))
