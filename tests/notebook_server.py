"""`greetlab notebooks FOLDER --no-browser`, and the link that it prints."""

import re
import subprocess
import sys

import pytest

LINK = re.compile(r"http://(\S+?):(\d+)/lab\b(?:\S*\?token=(\w+))?")


def greetlab(*arguments, **options):
    """Starts `greetlab notebooks`; what it says is in the process's stdout."""
    command = [sys.executable, "-c", "from greetlab.commands.cli import main; main()", "notebooks"]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def link(process):
    """Host, port, token, and the lines before: read until JupyterLab says where it is."""
    said = []
    for line in process.stdout:
        said.append(line)
        if found := LINK.search(line):
            return *found.groups(), said
    return pytest.fail("".join(said))
