"""`greetlab compare`: every design on the same bad day."""

import json
import re

import pytest
from command_line import greetlab

import greetlab as gl
from greetlab.commands.compare import DESIGNS, run
from greetlab.commands.compare import score as scoring
from greetlab.commands.compare.designs import FEW_EACH
from greetlab.commands.compare.fleet import MORE, PODS, fleet
from greetlab.commands.compare.page import page

KNOWN = {design.name.strip(): design for design in DESIGNS}
KNOWN_FLEET = [
    design for design in (*DESIGNS, FEW_EACH) if "sim" in design.worlds and not design.per_call
]


@pytest.fixture(scope="module")
def sim():
    return {score.design: score for score in run(["sim"], seed=3)}


def test_each_design_that_the_sim_has_is_scored(sim):
    assert set(sim) == {name for name, design in KNOWN.items() if "sim" in design.worlds}
    assert len({score.calls for score in sim.values()}) == 1  # the same workload
    assert all(score.p50 < score.p99 and score.parts for score in sim.values())


def test_who_keeps_a_connection_never_hears_of_a_new_pod(sim):
    never = {name for name, score in sim.items() if score.new_pod is None}
    assert never == {"ClusterIP, pick_first", "headless, pick_first", "headless, round_robin"}
    assert sim["a watch, round_robin"].new_pod < sim["+ connection age"].new_pod


def test_what_each_costs(sim):
    each = sim["a connection per call"]
    assert each.connections >= each.calls - each.failed
    assert each.lookups >= each.calls
    assert sim["a watch, round_robin"].lookups == 0
    assert sim["+ connection age"].connections > 2 * sim["headless, round_robin"].connections


def test_an_age_loses_calls_in_a_rollout_that_is_quicker_than_its_lookups(sim, monkeypatch):
    """And none where preStop is as long as the cooldown: so the page's sentence."""
    assert sim["+ connection age"].failed > 10 + sim["headless, round_robin"].failed
    monkeypatch.setattr(scoring, "PRE_STOP", scoring.COOLDOWN)
    [patient] = run(["sim"], seed=3, designs=[KNOWN["+ connection age"]])
    assert patient.failed == 0


def test_the_watch_is_fair_and_the_one_connection_is_not(sim):
    assert sim["a watch, round_robin"].unfairness < 1.2
    assert sim["headless, pick_first"].unfairness > 2


def test_the_same_seed_is_the_same_day(sim):
    [again] = run(["sim"], seed=3, designs=[KNOWN["+ connection age"]])
    assert again == sim["+ connection age"]


@pytest.mark.parametrize("name", ["a connection per call", "a watch, round_robin",
                                  "a lookaside balancer", "xDS, proxyless gRPC",
                                  "Envoy as a gateway", "HAProxy as a gateway",
                                  "a sidecar Envoy each"])  # fmt: skip
def test_in_real_processes_too(name, monkeypatch):
    if (why := KNOWN[name].lacks()) != "":
        pytest.skip(why)
    # A busy machine may take long to start two pods; the kill is of one that is listed even so.
    for what, when in {"KILLED": 10.5, "REPLACED": 10.6, "SLOWED": 10.7, "WELL": 10.8}.items():
        monkeypatch.setattr(scoring, what, when)
    [score] = run(["local"], seed=3, designs=[KNOWN[name]], pace=0.12)
    assert score.calls > 100
    assert score.failed < score.calls / 3
    assert score.new_pod is not None
    assert (score.cpu is None) == (KNOWN[name].takes == "xds")
    assert (score.connections >= score.calls - score.failed) == KNOWN[name].per_call


def test_a_score_is_json_too(sim):
    assert {json.dumps(score.as_dict(), allow_nan=False) for score in sim.values()}


def test_the_command_prints_a_table():
    said = greetlab("compare", "--in", "sim")
    assert said.status == 0
    assert all(name in said.said for name, design in KNOWN.items() if "sim" in design.worlds)
    assert "never" in said.said
    assert "unfair" in said.said
    assert greetlab("compare", "--in", "mars").status == 2


def test_the_plot_has_every_design_and_what_hurts_in_red(sim):
    rows = [score.as_dict() for score in sim.values()]
    figure = gl.plot.scoreboard(rows)
    figure.draw_without_rendering()
    panels = figure.axes
    assert [label.get_text() for label in panels[0].get_yticklabels()] == list(sim)
    red = [text.get_text() for panel in panels for text in panel.texts
           if text.get_color() == "#B00020"]  # fmt: skip
    assert red.count("never") == 3
    for panel in panels:  # a number stays in its panel
        right = panel.get_window_extent().x1
        assert all(text.get_window_extent().x1 <= right + 1 for text in panel.texts)
    colors = {row["kind"]: bar.get_facecolor() for row, bar in
              zip(rows, panels[0].patches, strict=True)}  # fmt: skip
    assert len(set(colors.values())) == len(colors) == 3
    with pytest.raises(ValueError, match="rows of one world"):
        gl.plot.scoreboard([*rows, {**rows[0], "world": "local"}])


def test_the_page_is_one_file_with_every_number_and_text_is_only_text(sim):
    rows = [{**score.as_dict(), "design": "<b>&" + score.design} for score in sim.values()]
    made = page(rows, "what <i>day</i>")
    assert "<b>" not in made
    assert "what &lt;i&gt;day&lt;/i&gt;" in made
    assert "http" not in made
    for score in sim.values():
        assert f">{score.connections:,}</td>" in made


@pytest.fixture(scope="module")
def of_a_fleet():
    return {score.design: score for score in fleet(100, seed=3)}


def test_a_fleet_has_luck_and_connections_by_n_times_m(of_a_fleet):
    scores = of_a_fleet
    one, all_of_them = scores["ClusterIP, pick_first"], scores["headless, round_robin"]
    assert one.connections == 100
    assert all_of_them.connections == 100 * PODS
    assert one.unfairness > 2 > 1.5 > all_of_them.unfairness
    assert one.new_pods == all_of_them.new_pods == 0
    aged = scores["+ connection age"]
    assert aged.new_pods == MORE - PODS
    assert aged.connections > 2 * all_of_them.connections
    few = scores["a watch, 5 pods each"]
    assert few.new_pods == MORE - PODS
    assert few.connections < scores["a watch, round_robin"].connections / 5


def test_the_page_has_the_fleet_as_a_section_of_its_own(tmp_path):
    file = tmp_path / "compare.html"
    said = greetlab("compare", "--in", "sim", "--clients", "20", "--html", file)
    assert said.status == 0
    assert "SIM, 20 clients" in said.said
    assert "a watch, 5 pods each" in said.said
    made = file.read_text()
    assert "Which design" in made
    assert re.findall(r"<h2>(.*?)</h2>", made) == ["SIM", "SIM, 20 clients"]
    day, of_fleet = made.split("<h2>SIM, 20 clients</h2>")
    assert "10 calls of each client on 40 pods" in of_fleet
    assert "Every design, with 20 clients. ClusterIP, pick_first: failed 0, unfair" in of_fleet
    assert of_fleet.count("<tr>") == 1 + len(KNOWN_FLEET)
    assert "<td data-head='idle'>" in of_fleet
    assert "<td data-head='idle'>" not in day


def test_the_plot_takes_a_fleet_and_no_mixture(sim, of_a_fleet):
    rows = [score.as_dict() for score in of_a_fleet.values()]
    figure = gl.plot.scoreboard(rows)
    heads = [panel.get_title(loc="left").split("\n")[0] for panel in figure.axes]
    assert heads == ["failed", "unfair", "idle", "new pods", "dialled"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(of_a_fleet)
    for others in ([next(iter(sim.values())).as_dict()], [{**rows[0], "clients": 7}]):
        with pytest.raises(ValueError, match="those of a fleet apart"):
            gl.plot.scoreboard([*rows, *others])
