"""`greetlab lab N` shows a lab's guide."""

from kube_world import LAB_2, ROOT
from typer.testing import CliRunner

from greetlab.commands.cli import app


def shown(number):
    return CliRunner().invoke(app, ["lab", number])


def test_it_shows_the_guide_from_anywhere_in_the_repository(monkeypatch):
    for folder in (ROOT, LAB_2 / "start"):
        monkeypatch.chdir(folder)
        assert shown("2").stdout == (LAB_2 / "README.md").read_text()


def test_outside_of_a_repository_it_says_where_to_stand(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = shown("2")
    assert done.exit_code == 2
    assert f"no labs/02_more_pods_fewer_pods/README.md in {tmp_path} or above" in done.stderr


def test_a_lab_that_there_is_not():
    assert "no lab 9: there is 0 (setup)" in shown("9").stderr
