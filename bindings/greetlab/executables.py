"""The executables that came with the package. They are found without PATH."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import NoReturn

from greetlab.real import need

NAMES = ("greet-server", "greet-client", "greet-gateway", "clusterip")


def path(name: str) -> Path:
    """Where an executable of ours is.

    name: one of NAMES.

    Raises RuntimeError where this is a simulator alone; FileNotFoundError if the installation is
    broken.
    """
    need(name)
    found = Path(str(files("greetlab"))) / "_bin" / name
    if not found.is_file():
        raise FileNotFoundError(
            f"greetlab's executable {name!r} is not at {found}: the installation is incomplete; "
            "install the package again (pip install .)"
        )
    return found


def greet_server() -> NoReturn:
    """The console script `greet-server`."""
    _become("greet-server")


def greet_client() -> NoReturn:
    """The console script `greet-client`."""
    _become("greet-client")


def greet_gateway() -> NoReturn:
    """The console script `greet-gateway`."""
    _become("greet-gateway")


def _become(name: str) -> NoReturn:
    # Not a child of ours: so the executable gets the signals.
    os.execv(str(path(name)), [name, *sys.argv[1:]])
