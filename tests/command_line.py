"""`greetlab ...`, in this process or as one of its own."""

import contextlib
import json
import signal
import subprocess
import sys
from dataclasses import dataclass

from typer.testing import CliRunner

from greetlab.commands.cli import app


@dataclass
class Ended:
    """status: its exit status. said: on standard output. complaint: on standard error."""

    status: int
    said: str
    complaint: str

    @property
    def document(self):
        return json.loads(self.said)


def greetlab(*arguments) -> Ended:
    """In this process, which is quick."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="greetlab")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)


def command(*arguments):
    """What starts it as a process, with whichever Python runs the tests."""
    return [
        sys.executable,
        "-c",
        "from greetlab.commands.cli import main; main()",
        *map(str, arguments),
    ]


@contextlib.contextmanager
def running(*arguments):
    """As a process; one that a failed test left behind is killed."""
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
