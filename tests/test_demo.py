"""The main job, as `./run demo` runs it."""

import csv
import json
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import greetlab as gl
from greetlab.commands.demo import Story
from greetlab.commands.demo.story import Check
from greetlab.views.play.scenes import scene

GREETLAB = Path(sys.executable).with_name("greetlab")


def demo(folder, *flags):
    return subprocess.run(
        [GREETLAB, "demo", "--out", folder, *flags], capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "with a space"
    return demo(folder), folder


def test_the_story_holds_and_is_told(run):
    ended, folder = run
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    for heading in (
        "what DNS says",
        "The problem",
        "The cure",
        "What the cure costs",
        "Is it true?",
    ):
        assert heading in ended.stdout
    assert str(folder) in ended.stdout.replace("\n", "")
    assert "\x1b" not in ended.stdout  # plain where there is no terminal


def test_it_says_what_to_watch_for_and_why_as_the_playground_does(run):
    ended, folder = run
    told = " ".join(ended.stdout.split())
    assert scene("round_robin changes nothing").watch in told
    page = unescape((folder / "report.html").read_text())
    for title in ("One connection, one pod", "Headless, and round_robin"):
        assert scene(title).because in told
        assert f"<p><b>Watch for</b> {scene(title).watch}</p>" in page
        assert f"<p>{scene(title).because}</p>" in page


def test_the_run_folder_holds_the_data_the_picture_and_the_summary(run):
    _, folder = run
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["held"] is True
    rows = list(csv.DictReader((folder / "calls.csv").read_text().splitlines()))
    assert len(rows) == sum(run["calls"] for run in summary["runs"].values())
    for name, told in summary["runs"].items():
        pods = [row["pod"] for row in rows if row["run"] == name]
        assert {pod: pods.count(pod) for pod in pods} == told["by_pod"]
    page = (folder / "report.html").read_text()
    assert page.count("<img alt=") == 3
    assert "http://" not in page.replace("http://www.w3.org/", "")  # needs no network
    assert "https://" not in page
    assert all(check["claim"] in unescape(page) for check in summary["checks"])
    for name in ("sticky", "fair"):
        assert gl.Trace.load(folder / f"trace-{name}.jsonl").of("CallEnded", code="OK")
    assert (folder / "requests.png").read_bytes().startswith(b"\x89PNG")
    assert "** server can't find" not in (folder / "lookups.txt").read_text()


def test_the_figures_are_those_of_the_mission(run):
    _, folder = run
    summary = json.loads((folder / "summary.json").read_text())
    runs = summary["runs"]
    assert len(summary["lookups"]["greetserver"]) == 1
    assert len(summary["lookups"]["greetserver-headless"]) == 3
    for policy in ("pick_first", "round_robin"):
        assert list(runs[f"sticky-{policy}"]["by_pod"].values()) == [60]
    assert runs["headless-ready"]["by_pod"] == {"pod-1": 20, "pod-2": 20, "pod-3": 20}
    assert runs["grpc-fair"]["by_pod"] == {"pod-1": 20, "pod-2": 20, "pod-3": 20}
    assert list(runs["grpc-pick_first"]["by_pod"].values()) == [60]
    opened = [cost["connections_per_1000_requests"] for cost in summary["costs"]]
    assert opened == [1000, 1, 3]


def test_json_is_one_document_and_nothing_else(tmp_path):
    ended = demo(tmp_path, "--json")
    assert ended.returncode == 0
    document = json.loads(ended.stdout)
    assert document["held"] is True
    assert document["folder"] == str(tmp_path)


def test_one_failed_check_is_enough_to_fail_the_story():
    assert not Story().held
    assert Story(checks=[Check("a", True)]).held
    assert not Story(checks=[Check("a", True), Check("b", False)]).held


def test_a_folder_that_cannot_be_written_is_named():
    ended = demo("/proc/nowhere")
    assert ended.returncode == 2
    assert "greetlab demo: " in ended.stderr
    assert "/proc/nowhere" in ended.stderr
