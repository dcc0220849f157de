"""The bench's own logic, on rows that measure nothing."""

import json
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from bench import __main__ as command_line
from bench import counting, processes, report, rows
from bench.curves import Curve, Panel, Point
from bench.measure import (
    FULL,
    QUICK,
    Bar,
    BrokenError,
    Effort,
    Row,
    Skipped,
    Spread,
    interleave,
    measure,
)


def samples(*calls_per_second):
    """A contender that is this fast, sample after sample."""
    made = iter(calls_per_second)
    return lambda: {"calls_per_second": next(made)}


def always(**sample):
    return lambda: sample


def row(bars=(), /, *, why=None, **contenders):
    @contextmanager
    def opened(_effort):
        if why is not None:
            raise why
        yield contenders

    return Row("fake", "A fake row", bars, opened)


def test_contenders_take_turns_and_the_first_round_does_not_count():
    turns = []

    def contender(name):
        def run():
            turns.append(name)
            return {"calls_per_second": len(turns)}

        return run

    taken = interleave({"a": contender("a"), "b": contender("b")}, rounds=2)
    assert turns == ["a", "b"] * 3
    assert [sample["calls_per_second"] for sample in taken["a"]] == [3, 5]
    assert [sample["calls_per_second"] for sample in taken["b"]] == [4, 6]


def test_a_row_may_have_more_rounds_than_others():
    @contextmanager
    def opened(_effort):
        yield {"a": always(seconds=1.0)}

    outcome = measure(Row("fake", "", (), opened, times=2), Effort(rounds=3))
    assert len(outcome.samples["a"]) == 6


def test_a_spread_is_the_median_with_least_and_most():
    assert Spread.of([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)


def test_a_ratio_is_taken_within_a_round():
    # The second round was slow for both; the medians by themselves would say 2.0 / 1.0 = 2.0.
    outcome = measure(
        row([Bar("a", "b", least=1.5)], a=samples(9, 2, 1, 9), b=samples(9, 1, 1, 3)), Effort(3)
    )
    [figure] = outcome.figures
    assert figure.spread == Spread(2.0, 1.0, 3.0)
    assert figure.verdict == "pass"
    assert outcome.spread("b", "calls_per_second") == Spread(1, 1, 3)


@pytest.mark.parametrize(
    ("bar", "ratio", "met"),
    [
        (Bar("a", "b", least=1.4), 1.4, True),
        (Bar("a", "b", least=1.4), 1.39, False),
        (Bar("a", "b", "cpu_us", most=0.9), 0.9, True),
        (Bar("a", "b", "cpu_us", most=0.9), 0.91, False),
    ],
)
def test_a_bar_is_met_or_not(bar, ratio, met):
    assert bar.met(ratio) is met


def test_each_bar_has_its_own_metric():
    outcome = measure(
        row(
            [Bar("a", "b", "p50_us", most=1.1), Bar("a", "b", "cpu_us", most=0.9)],
            a=always(p50_us=120.0, cpu_us=8.0),
            b=always(p50_us=100.0, cpu_us=10.0),
        ),
        Effort(1),
    )
    assert [(f.spread.median, f.verdict) for f in outcome.figures] == [
        (1.2, "short"),
        (0.8, "pass"),
    ]


def test_a_bar_without_a_peer_holds_the_number_itself():
    outcome = measure(row([Bar("a", None, "seconds", most=0.5)], a=always(seconds=0.4)), Effort(1))
    assert [(f.spread.median, f.verdict) for f in outcome.figures] == [(0.4, "pass")]


def test_what_is_counted_is_counted_once():
    outcome = measure(replace(row(a=samples(1.0, 2.0)), times=None), Effort(rounds=3))
    assert outcome.samples == {"a": [{"calls_per_second": 1.0}]}


def test_a_call_takes_what_a_longer_run_takes_more():
    # Whatever the process does once (100) is in neither.
    run = counting.counted(lambda calls: ["true", str(calls)], 10, "instructions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(counting._COUNTERS, "instructions", lambda command: 100 + 7 * int(command[1]))
        assert run() == {"instructions": 7.0}


def test_straces_table_is_read():
    table = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000300           1       299         2 read
------ ----------- ----------- --------- --------- ----------------
100.00    0.000500           1       301         2 total
"""
    assert counting.system_calls_of(table) == 301
    assert counting.system_calls_of(table.replace("         2 total", "           total")) == 301
    with pytest.raises(BrokenError, match="nothing was counted: ''"):
        counting.system_calls_of("")


def test_a_contender_that_does_not_tell_of_a_metric_has_no_spread_of_it():
    outcome = measure(row(a=always(p50_us=1.0), b=always(cpu_us=1.0)), Effort(1))
    assert outcome.spread("a", "p50_us") == Spread(1.0, 1.0, 1.0)
    assert outcome.spread("b", "p50_us") is None
    assert outcome.spread("c", "p50_us") is None


def test_a_row_that_cannot_be_measured_says_why():
    outcome = measure(row(why=Skipped("no peer")), Effort(1))
    assert (outcome.skipped, outcome.figures) == ("no peer", [])


def test_a_row_that_breaks_says_how_and_lets_go_of_its_servers():
    closed = []

    @contextmanager
    def opened(_effort):
        def run():
            raise BrokenError("client: it fell over")

        try:
            yield {"a": run}
        finally:
            closed.append(True)

    assert measure(Row("fake", "", (), opened), Effort(1)).broken == "client: it fell over"
    assert closed


def test_rows_are_chosen_by_group_or_by_name():
    assert [row.name for row in rows.choose(["python", "server"])] == ["server", "python"]
    assert [row.name for row in rows.choose(["round-robin-100"])] == ["round-robin-100"]
    assert len(rows.choose([])) == sum(map(len, rows.GROUPS.values()))
    with pytest.raises(ValueError, match=r"no row 'sever': there is server, round-robin, "):
        rows.choose(["sever"])


def client(code):
    return [sys.executable, "-c", code]


def test_a_sample_is_what_the_client_tells():
    told = {"calls": 200, "seconds": 0.5, "cpu_seconds": 0.004, "p50_us": 70.5}
    taken = processes.sample(client(f"print('{json.dumps(told)}')"), calls=200, warm_up=1)
    assert taken == {"calls_per_second": 400.0, "p50_us": 70.5, "cpu_us": 20.0}


def test_a_client_is_told_how_many_calls_to_make():
    code = (
        "import sys, json; n = int(sys.argv[2]) + int(sys.argv[4]);"
        "print(json.dumps(dict(calls=n, seconds=1, cpu_seconds=0, p50_us=1)))"
    )
    assert processes.sample(client(code), calls=30, warm_up=7)["calls_per_second"] == 37


def test_a_client_that_fails_is_no_figure():
    with pytest.raises(BrokenError, match=r"python -c .*: 3 calls failed"):
        processes.sample(client("raise SystemExit('3 calls failed')"), calls=1, warm_up=1)


def test_a_server_serves_until_its_standard_input_ends():
    code = "import sys; print('serving on 1.2.3.4:5,1.2.3.4:6', flush=True); sys.stdin.read()"
    with processes.serving(client(code), backends=2) as server:
        assert (server.target, server.backends) == ("ipv4:1.2.3.4:5,1.2.3.4:6", 2)
        assert server.cpu_seconds > 0


def test_a_server_that_does_not_start_is_no_figure():
    with pytest.raises(BrokenError, match="did not start"), processes.serving(client("")):
        pass


def test_a_program_that_is_not_installed_skips_the_row():
    with pytest.raises(Skipped, match=r"h3load is not installed \(apt-get install nghttp3\)"):
        processes.require_program("h3load", "nghttp3")
    with pytest.raises(Skipped, match="Python module simpie"):
        processes.require_python("json", "simpie")
    assert processes.require_program("sh", "dash").name == "sh"


@pytest.fixture
def fake_rows(monkeypatch):
    def install(*made, curves=()):
        monkeypatch.setattr(rows, "GROUPS", {"fake": made})
        monkeypatch.setattr(rows, "CURVES", curves)

    # What follows the test runs under the same limit as what came before.
    monkeypatch.setattr(processes, "raise_file_limit", lambda: None)
    return install


def run(*arguments):
    app = command_line.typer.Typer()
    app.command()(command_line.main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_bar_that_is_not_met_is_shown_and_kept_and_no_error(fake_rows, tmp_path):
    contenders = {
        "a": always(calls_per_second=6, cpu_us=3),
        "b": always(calls_per_second=5, cpu_us=3),
    }
    fake_rows(row([Bar("a", "b", least=1.4)], **contenders))
    out = tmp_path / "of" / "today"
    result = run("--quick", "--out", out)
    assert result.exit_code == 0, result.output
    assert "calls/s: a / b  1.20 (1.20–1.20)  ≥ 1.40  short" in result.output  # noqa: RUF001
    assert "0 passed, 1 short, 0 rows skipped, 0 rows broken" in result.output

    kept = json.loads((out / "figures.json").read_text())
    assert set(kept["header"]) >= {"date", "machine", "load average", "greetlab"}
    [told] = kept["rows"]
    assert told["figures"] == [
        {
            "ours": "a",
            "peer": "b",
            "metric": "calls_per_second",
            "least": 1.4,
            "most": None,
            "figure": {"median": 1.2, "least": 1.2, "most": 1.2},
            "verdict": "short",
        }
    ]
    assert len(told["contenders"]["a"]["samples"]) == QUICK.rounds
    assert told["contenders"]["a"]["cpu_us"]["median"] == 3

    page = (out / "README.md").read_text()
    assert "| fake | calls/s: a / b | 1.20 (1.20–1.20) | ≥ 1.40 | short |" in page  # noqa: RUF001
    assert kept["header"]["machine"] in page


def curve(*rows_and_contenders):
    points = [Point(x, row, name) for x, row, name in rows_and_contenders]
    return Curve("growth", "It grows", "backends", (Panel("seconds", "seconds"),), {"a": points})


def test_a_curve_is_drawn_of_what_was_measured(fake_rows, tmp_path):
    measured = row(few=always(seconds=1.0), many=always(seconds=2.0))
    fake_rows(measured, curves=[curve((3, "fake", "few"), (100, "fake", "many"))])
    assert run("--quick", "--out", tmp_path).exit_code == 0
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
    assert "![It grows](growth.png)" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("second", [("other", "many"), ("fake", "none")])
def test_a_curve_of_one_point_is_none(fake_rows, tmp_path, second):
    (tmp_path / "growth.png").write_text("of an earlier run")
    fake_rows(row(few=always(seconds=1.0)), curves=[curve((3, "fake", "few"), (100, *second))])
    assert run("--quick", "--out", tmp_path).exit_code == 0
    assert not (tmp_path / "growth.png").exists()
    assert "growth" not in (tmp_path / "README.md").read_text()


def test_the_curves_go_over_rows_that_there_are():
    there = {row.name for row in rows.choose([])}
    for drawn in rows.CURVES:
        assert {point.row for points in drawn.lines.values() for point in points} <= there


def test_a_partial_run_does_not_take_the_place_of_the_full_one(fake_rows, tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "RESULTS", tmp_path)
    fake_rows(row(a=always(seconds=1.0)))
    for arguments, folder in (([], "latest"), (["--quick"], "partial"), (["fake"], "partial")):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        kept = json.loads((tmp_path / folder / "figures.json").read_text())
        rounds = QUICK.rounds if "--quick" in arguments else FULL.rounds
        assert len(kept["rows"][0]["contenders"]["a"]["samples"]) == rounds


def test_a_row_that_broke_is_told_and_the_others_are_measured(fake_rows, tmp_path):
    fake_rows(row(why=BrokenError("it fell over")), row(a=always(seconds=1.0)))
    result = run("--quick", "--out", tmp_path)
    assert result.exit_code == 1
    assert "broken: it fell over" in result.output
    assert len(json.loads((tmp_path / "figures.json").read_text())["rows"]) == 2
    assert "| fake | it fell over |" in (tmp_path / "README.md").read_text()


def test_a_row_that_is_not_there_is_named(fake_rows):
    fake_rows(row())
    result = run("sever")
    assert result.exit_code == 2
    assert "no row 'sever'" in result.output


def test_a_skipped_row_is_shown():
    from rich.console import Console

    console = Console(width=80)
    outcome = measure(row(why=Skipped("no peer")), Effort(1))
    with console.capture() as captured:
        console.print(report.shown(outcome))
        console.print(report.table_of_figures([outcome], named=True))
    assert "skipped: no peer" in captured.get()
    assert captured.get().count("no peer") == 2
