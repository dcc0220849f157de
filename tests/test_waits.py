"""plot.waits: every run is a dot at its seconds, and what never happened is said."""

import pytest

import greetlab as gl
from greetlab.views import plot

RUNS = {"age 60 s": [3.0, 1.0, 20.0], "no age": [None, None], "age 300 s": [90.0, None]}


def dots(picture):
    (axes,) = picture.axes
    return [
        (float(y), [float(x) for x in line.get_xdata()])
        for line in axes.lines
        for y in set(line.get_ydata())
    ]


def test_each_run_is_a_dot_in_its_row():
    assert dots(plot.waits(RUNS, world="SIM")) == [(0.0, [1.0, 3.0, 20.0]), (2.0, [90.0])]


def test_medians_and_what_never_happened_stand_beside_it_and_in_the_summary():
    picture = plot.waits(RUNS, world="SIM", title="Waiting", never="never, in 400 s")
    assert picture.alt == (
        "Waiting. age 60 s: median 3.0 s. no age: never, in 400 s. "
        "age 300 s: median 90 s, never, in 400 s: 1"
    )
    words = [text.get_text() for text in picture.axes[0].texts]
    assert words == ["median 3.0 s", "never, in 400 s", "median 90 s, never, in 400 s: 1"]
    assert [label.get_text() for label in picture.axes[0].get_yticklabels()] == list(RUNS)
    assert "SIM" in [text.get_text() for text in picture.texts]


@pytest.mark.parametrize("runs", [{}, {"age 60 s": []}])
def test_no_runs_are_nothing_to_draw(runs):
    with pytest.raises(ValueError, match="at least one run of each setting"):
        plot.waits(runs, world="SIM")


def test_a_setting_that_never_worked_has_no_dot():
    assert dots(plot.waits({"no age": [None]}, world="SIM")) == []


def test_a_paced_load_of_the_sim_takes_its_time():
    cluster = gl.Cluster.sim(pods=3, seed=7)
    calls = cluster.channel("greetserver").load(10, every=2.0)
    gaps = (calls.start_ns[1:] - calls.start_ns[:-1]) / 1e9
    assert gaps.tolist() == [2.0] * 9


def test_calls_of_a_load_that_goes_on():
    cluster = gl.Cluster.sim(pods=3, seed=7)
    channel = cluster.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
    load = channel.start(60, every=1.0)
    cluster.run(seconds=29.5)
    with pytest.raises(ValueError, match=r"30 of 60 calls have ended by 29\.\d+ s"):
        channel.calls(load)
    cluster.run(seconds=60)
    assert channel.calls(load).by_pod == {"pod-1": 20, "pod-2": 20, "pod-3": 20}
    assert channel.calls(load).known == ("pod-1", "pod-2", "pod-3")
