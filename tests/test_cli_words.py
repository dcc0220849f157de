"""What every command has in common: help, statuses, completion, words for bad arguments."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from command_line import command, greetlab

from greetlab.channels.policies import POLICIES
from greetlab.commands.cli import app

PAGE = (Path(__file__).parent.parent / "docs" / "commands.md").read_text()
COMMANDS = [
    *(registered.callback.__name__ for registered in app.registered_commands),
    *(f"{group.name} {registered.callback.__name__}" for group in app.registered_groups
      for registered in group.typer_instance.registered_commands),
]  # fmt: skip

BAD = [
    ("", "nope"),
    ("", "--nope"),
    ("demo", "--nope"),
    ("demo", "--out", "/proc/nowhere"),
    ("lookup",),
    ("lookup", ""),
    ("lookup", "web", "--type", "MX"),
    ("lookup", "web", "--type", ""),
    ("lookup", "web", "--server", "dns.example"),
    ("lookup", "web", "--server", "127.0.0.1:99999"),
    ("lookup", "web", "--resolv-conf", "/nope"),
    ("lookup", "web", "--server", "127.0.0.1", "--resolv-conf", "/etc/resolv.conf"),
    ("lookup", "web", "--namespace", "no.dots"),
    ("call", "--times", "0"),
    ("call", "--times", "many"),
    ("call", "--concurrency", "0"),
    ("call", "--policy", "ring_hash"),
    ("call", "--policy", "random", "--engine", "grpc"),
    ("call", "--engine", "rpc"),
    ("call", "--timeout", "-1"),
    ("call", "--timeout", "nan"),
    ("call", "--pods", "-1"),
    ("call", "--pods", "251"),
    ("call", "static:127.0.0.1:1", "--pods", "2"),
    ("call", "no-port"),
    ("call", "xds:///web:1"),
    ("call", "--trace", "/nope/trace.jsonl"),
    ("call", "--plot", "picture.doc"),
    ("up", "--pods", "-1"),
    ("up", "more"),
    ("trace",),
    ("trace", "/nope"),
    ("trace", "/"),
    ("trace", __file__),
    ("trace", __file__, "--story", "--check"),
    ("config",),
    ("config", "/nope"),
    ("config", "/"),
    ("doctor", "no-port"),
    ("doctor", "--language", "Go"),
    ("doctor", "--times", "5"),
    ("doctor", "web:1", "--policy", "random"),
    ("doctor", "web:1", "--times", "1"),
    ("doctor", "web:1", "--timeout", "0"),
    ("doctor", "web:1", "--language", "COBOL"),
    ("notebooks", "/proc/nowhere"),
    ("play", "v1+puds=3"),
    ("play", "--out", "/proc/nowhere"),
    ("check",),
    ("check", "one"),
    ("clean", "--nope"),
]


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_a_bad_argument_is_one_sentence_and_status_2(arguments):
    ended = greetlab(*filter(None, arguments[:1]), *arguments[1:])
    assert ended.status == 2
    assert ended.said == ""
    (sentence,) = ended.complaint.splitlines()
    assert sentence.startswith(" ".join(["greetlab", *filter(None, arguments[:1])]) + ": ")
    assert "Errno" not in sentence


def test_a_command_of_a_group_says_its_whole_name():
    assert greetlab("kube", "run", "--nope").complaint.startswith("greetlab kube run: No such")


def test_an_error_names_what_there_is():
    assert "pick_first" in greetlab("call", "--policy", "ring_hash").complaint
    assert "A, AAAA, SRV" in greetlab("lookup", "web", "--type", "MX").complaint
    assert "dns:///name:port" in greetlab("call", "no-port").complaint
    assert greetlab("lookup", "").complaint == "greetlab lookup: the name is empty\n"


def test_a_file_that_cannot_be_written_is_told_before_the_work(monkeypatch):
    monkeypatch.setattr("greetlab.clusters.cluster.Cluster.local", None)
    assert greetlab("call", "--trace", "/nope/trace.jsonl").status == 2
    assert greetlab("call", "--plot", "picture.doc").status == 2


def test_without_a_command_it_helps():
    ended = greetlab()
    assert ended.status == 2
    for name in COMMANDS:
        assert re.search(rf"^  {name.split()[0]} ", ended.complaint, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_documents_its_exit_statuses_and_has_json(name):
    said = " ".join(greetlab(*name.split(), "--help").said.split())
    assert "Exit status" in said
    assert "--json" in said
    assert re.search(rf"^\| `greetlab {name}\b", PAGE, re.MULTILINE), "the page's table"


def test_the_shell_can_complete_it():
    # It looks which shell has called it.
    shell = ["bash", "-c", shlex.join(command("--show-completion")) + "; exit $?"]
    shown = subprocess.run(shell, capture_output=True, text=True, timeout=30)
    assert shown.returncode == 0
    assert "complete -o default -F _greetlab_completion greetlab" in shown.stdout
    asked = {"COMP_WORDS": "greetlab call --policy ", "COMP_CWORD": "3"}
    words = {**os.environ, **asked, "_GREETLAB_COMPLETE": "complete_bash"}
    offered = subprocess.run(command(), capture_output=True, text=True, timeout=30, env=words)
    assert offered.stdout.split() == list(POLICIES)
