"""The executables that came with the package. They are found without PATH."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import NoReturn


def path(name: str) -> Path:
    """Where an executable of ours is.

    name: "greet-server" or "clusterip".

    Raises FileNotFoundError if the installation does not hold it.
    """
    found = Path(str(files("greetlab"))) / "_bin" / name
    if not found.is_file():
        raise FileNotFoundError(
            f"greetlab's executable {name!r} is not at {found}: the installation is incomplete; "
            "install the package again (pip install .)"
        )
    return found


def greet_server() -> NoReturn:
    """The console script `greet-server`: becomes the executable, so that it gets the signals."""
    executable = str(path("greet-server"))
    os.execv(executable, ["greet-server", *sys.argv[1:]])
