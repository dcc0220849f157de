"""The plots, by what stands in them, not by pixels."""

from itertools import chain
from math import comb

import numpy as np
import pytest

import greetlab as gl
from greetlab.views.palette import FAILED, STYLES, pod_styles
from greetlab.views.plot.chance import binomial_band
from greetlab.views.plot.columns import joined, mean_open, spans
from greetlab.views.plot.marks import MARKS, TICKS
from greetlab.views.plot.reading import in_order

PODS = ["pod-1", "pod-2", "pod-3"]


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


def strips(figure):
    return [axes for axes in figure.axes if axes.get_label() == "requests"]


def shares(figure):
    return [axes for axes in figure.axes if axes.get_label() == "share"]


def marks(axes):
    """Per row of the strip, the requests that have a mark there."""
    return [sorted(int(x) for x in line.get_xdata()) for line in axes.lines]


def words(axes):
    return [text.get_text() for text in axes.texts]


# requests: one mark each, and the share beside it.


def test_each_request_has_one_mark_on_the_row_of_its_pod(runs):
    _, fair, _ = runs
    [axes] = strips(gl.plot.requests(fair))
    drawn = marks(axes)
    assert sorted(chain.from_iterable(drawn)) == list(range(1, 13))
    for row, name in enumerate(PODS):
        assert drawn[row] == [n for n, call in enumerate(fair, start=1) if call.pod == name]


def test_pods_that_got_nothing_have_their_empty_row(runs):
    sticky, _, _ = runs
    figure = gl.plot.requests(sticky, pods=PODS)
    [axes], [share] = strips(figure), shares(figure)
    assert sorted(len(row) for row in marks(axes)) == [0, 0, 12]
    assert [label.get_text() for label in axes.get_yticklabels()] == PODS
    assert sorted(words(share)) == ["0", "0", "12"]


def test_failed_requests_have_a_row_of_their_own(runs):
    figure = gl.plot.requests(*runs)
    assert len(strips(figure)) == 3
    last = strips(figure)[-1]
    assert last.get_yticklabels()[-1].get_text() == "failed"
    assert len(marks(last)[-1]) == 4
    assert "4 failed" in figure.alt


def test_the_figure_says_which_world_it_shows(runs):
    assert "LOCAL" in [text.get_text() for text in gl.plot.requests(runs[0]).texts]


def test_no_run_no_figure():
    with pytest.raises(ValueError, match="at least one run"):
        gl.plot.requests()
    with pytest.raises(ValueError, match="at least one run"):
        gl.plot.requests("pod-1")


def test_a_trace_is_drawn_as_its_calls_are():
    channel = gl.Cluster.sim(3, seed=7).channel("greetserver-headless", policy="round_robin")
    calls = channel.greet(times=20)
    [by_calls], [by_trace] = (strips(gl.plot.requests(what)) for what in (calls, channel.trace))
    assert marks(by_trace) == marks(by_calls)
    assert by_trace.get_title(loc="left") == "greetserver-headless, round_robin  ·  3 connections"


def test_a_request_that_has_not_ended_has_a_row_that_says_so():
    cluster = gl.Cluster.sim(3, seed=7)
    channel = cluster.channel("greetserver")
    channel.greet(times=2)
    channel.start(1)
    [axes] = strips(gl.plot.requests(cluster.trace))
    assert axes.get_yticklabels()[-1].get_text() == "not ended"
    assert marks(axes)[-1] == [3]


def test_the_bars_are_shares_and_the_band_is_what_chance_would_do():
    calls = gl.Cluster.sim(3, seed=7).channel("greetserver").greet(times=60)
    [share] = shares(gl.plot.requests(calls, pods=PODS))
    assert sorted(bar.get_width() for bar in share.patches) == [0, 0, 1]
    [band] = share.collections
    across, down = band.get_paths()[0].vertices.T
    assert (across.min() * 60, across.max() * 60) == pytest.approx((13, 27))
    assert (down.min(), down.max()) == (-0.5, 2.5)


@pytest.mark.parametrize(("n", "p"), [(60, 1 / 3), (10, 0.5), (7, 0.9)])
def test_the_band_is_the_binomials(n, p):
    chance = [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    least, most = binomial_band(n, p)
    assert sum(chance[:least]) < 0.025 <= sum(chance[: least + 1])
    assert sum(chance[:most]) < 0.975 <= sum(chance[: most + 1])


def test_the_band_of_a_million_is_narrow_and_that_of_one_pod_a_line():
    least, most = binomial_band(1_000_000, 1 / 3)
    assert (least, most) == pytest.approx((332_410, 334_258), abs=3)  # 1.96 standard deviations
    assert binomial_band(60, 1) == (60, 60)
    assert binomial_band(0, 0.5) == (0, 0)


def test_many_requests_are_ticks_and_more_are_shares():
    channel = gl.Cluster.sim(3, seed=7).channel("greetserver-headless", policy="round_robin")
    channel.wait_ready(all=True)
    [axes] = strips(gl.plot.requests(channel.greet(times=MARKS + 1)))
    assert {line.get_marker() for line in axes.lines} == {"|"}
    assert sum(len(row) for row in marks(axes)) == MARKS + 1
    [axes] = strips(gl.plot.requests(channel.greet(times=TICKS + 1)))
    assert not axes.lines
    areas = [c for c in axes.collections if c.get_paths()[0].vertices[:, 0].max() > 100]
    tops = [area.get_paths()[0].vertices[:, 1].min() for area in areas]
    # A third of the 0.8 that a whole row is high, in every row.
    assert [row + 0.4 - top for row, top in enumerate(tops)] == pytest.approx(
        [0.8 / 3] * 3, abs=0.02
    )


def test_rows_too_close_for_heights_are_shades():
    channel = gl.Cluster.sim(100, seed=7).channel("greetserver-headless", policy="round_robin")
    calls = channel.wait_ready(all=True).greet(times=4000)
    [axes] = strips(gl.plot.requests(calls))
    [image] = axes.images
    assert image.get_array().shape[0] == 100
    opacity = np.asarray(image.get_array())[..., 3]
    assert opacity.min() > 0.5  # each has its share all the time
    assert len([label for label in axes.get_yticklabels() if label.get_text()]) < 50


# What all figures share.


def test_a_notebook_shows_the_image_with_its_summary():
    calls = gl.Cluster.sim(3, seed=7).channel("greetserver").greet(times=6)
    figure = gl.plot.requests(calls)
    shown, how = figure._repr_mimebundle_()
    assert shown["image/png"].startswith(b"\x89PNG")
    assert shown["text/plain"] == how["image/png"]["alt"] == figure.alt
    assert f'alt="{figure.alt}"' in shown["text/html"]
    [pod] = calls.by_pod
    assert f"of 6 requests, {pod} 6" in figure.alt


def test_a_pods_style_does_not_depend_on_who_else_is_shown():
    assert pod_styles(["pod-2"])["pod-2"] == pod_styles(["pod-1", "pod-2"])["pod-2"] == STYLES[1]
    assert pod_styles(["pod-1", "pod-8"])["pod-8"] == STYLES[0]  # begin again


def test_pods_without_numbers_go_by_the_alphabet():
    styles = pod_styles(["greet-k6zbl", "greet-67bmd"])
    assert styles["greet-67bmd"] == STYLES[0]
    assert styles["greet-k6zbl"] == STYLES[1]


def test_pods_are_in_the_order_in_which_people_count():
    assert in_order(["pod-10", "pod-9", "pod-1", "pod-9"]) == ["pod-1", "pod-9", "pod-10"]


def test_columns_are_joined_by_the_first_that_fits():
    found, values = np.array([5, 3, 5]), np.array([50.0, 30.0, 51.0])
    assert joined(np.array([3, 4, 5]), found, values, -1).tolist() == [30, -1, 50]
    assert joined(np.array([3]), found[:0], values[:0], -1).tolist() == [-1]


def test_what_is_open_is_counted_by_how_long_it_is():
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    # Open from 0.5 to 1.5, and from 2 on.
    assert mean_open(np.array([0.5, 2.0]), np.array([1.5]), edges).tolist() == [0.5, 0.5, 1.0]


def test_intervals_that_nearly_touch_become_one():
    begins, ends = np.array([0.0, 2.0, 1.1]), np.array([1.0, 3.0, 1.2])
    assert np.array(spans(begins, ends)) == pytest.approx(np.array([[0, 1], [1.1, 0.1], [2, 1]]))
    merged = np.array(spans(begins, ends, gap=0.2))
    assert merged == pytest.approx(np.array([[0, 1.2], [2, 1]]))


def test_failed_calls_of_any_kind_are_red():
    cluster = gl.Cluster.sim(1, seed=7)
    cluster.kill("pod-1")
    channel = cluster.channel("greetserver")
    calls = channel.greet(times=3)
    for what in (calls, channel.trace):
        [axes] = strips(gl.plot.requests(what))
        assert marks(axes)[-1] == [1, 2, 3]
        assert axes.lines[-1].get_color() == FAILED.color
