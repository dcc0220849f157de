"""The plots, by what stands in them, not by pixels."""

from itertools import chain

import pytest

import greetlab as gl
from greetlab.palette import STYLES, pod_styles


@pytest.fixture(scope="module")
def runs():
    with gl.Cluster.local(pods=3, seed=1) as cluster:
        with cluster.channel("greetserver") as channel:
            sticky = channel.greet("A", times=12)
        with cluster.channel("greetserver-headless", policy="round_robin") as channel:
            channel.wait_ready(all=True)
            fair = channel.greet("A", times=12)
            cluster.fail("pod-3", 1)
            failing = channel.greet("A", times=12)
    return sticky, fair, failing


def marks(axes):
    """Per row of the strip, the requests that have a mark there."""
    return [sorted(int(x) for x in line.get_xdata()) for line in axes.lines]


def test_each_request_has_one_mark_on_the_row_of_its_pod(runs):
    _, fair, _ = runs
    [axes] = gl.plot.requests(fair).axes
    drawn = marks(axes)
    assert sorted(chain.from_iterable(drawn)) == list(range(1, 13))
    for row, name in enumerate(("pod-1", "pod-2", "pod-3")):
        assert drawn[row] == [n for n, call in enumerate(fair, start=1) if call.pod == name]


def test_pods_that_got_nothing_have_their_empty_row(runs):
    sticky, _, _ = runs
    [axes] = gl.plot.requests(sticky, pods=["pod-1", "pod-2", "pod-3"]).axes
    assert sorted(len(row) for row in marks(axes)) == [0, 0, 12]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["pod-1", "pod-2", "pod-3"]
    assert sorted(text.get_text() for text in axes.texts) == ["0", "0", "12"]


def test_failed_requests_have_a_row_of_their_own(runs):
    figure = gl.plot.requests(*runs)
    assert len(figure.axes) == 3
    last = figure.axes[-1]
    assert last.get_yticklabels()[-1].get_text() == "failed"
    assert len(marks(last)[-1]) == 4


def test_the_figure_says_which_world_it_shows(runs):
    assert "LOCAL" in [text.get_text() for text in gl.plot.requests(runs[0]).texts]


def test_no_run_no_figure():
    with pytest.raises(ValueError, match="at least one run"):
        gl.plot.requests()


def test_a_pods_style_does_not_depend_on_who_else_is_shown():
    assert pod_styles(["pod-2"])["pod-2"] == pod_styles(["pod-1", "pod-2"])["pod-2"] == STYLES[1]
    assert pod_styles(["pod-1", "pod-8"])["pod-8"] == STYLES[0]  # begin again


def test_pods_without_numbers_go_by_the_alphabet():
    styles = pod_styles(["greet-k6zbl", "greet-67bmd"])
    assert styles["greet-67bmd"] == STYLES[0]
    assert styles["greet-k6zbl"] == STYLES[1]
