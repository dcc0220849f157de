"""The notebooks that come with the package: into the learner's folder, and open."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn


class Copy(NamedTuple):
    """What became of one notebook.

    result: "new"; "same", it was there as it comes; "kept", the learner's own work is there.
    """

    name: str
    result: Literal["new", "same", "kept"]


def copy_notebooks(folder: Path) -> Iterator[Copy]:
    """Copies the notebooks into the folder, which it makes; never over what is there.

    Raises OSError if it cannot write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for shipped in sorted(files("greetlab").joinpath("_notebooks").iterdir(), key=lambda f: f.name):
        if not shipped.name.endswith(".ipynb"):
            continue
        content = shipped.read_bytes()
        there = folder / shipped.name
        try:
            with there.open("xb") as file:
                file.write(content)
        except FileExistsError:
            same = there.is_file() and there.read_bytes() == content
            yield Copy(shipped.name, "same" if same else "kept")
        else:
            yield Copy(shipped.name, "new")


def jupyter_command(folder: Path, *, browser: bool) -> list[str]:
    """What opens JupyterLab there: on the loopback address, and its token stays on.

    Raises RuntimeError if it is not installed.
    """
    if find_spec("jupyterlab") is None:
        raise RuntimeError(
            "JupyterLab is not installed here. To have it: "
            f"{sys.executable} -m pip install 'greetlab[notebooks]'"
        )
    command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", str(folder)]
    if os.geteuid() == 0:
        command.append("--allow-root")  # as in a container; Jupyter asks to be told
    if not browser:
        command.append("--no-browser")
    return command


def without_news(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which JupyterLab does not ask, over the first picture, whether it may
    bring news: with a folder of ours among those that it reads its configuration from, last.
    """
    ours = str(files("greetlab.commands").joinpath("jupyter"))
    before = environment.get("JUPYTER_CONFIG_PATH")
    return {**environment, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, [before, ours]))}


def become(command: list[str]) -> NoReturn:
    """Turns this process into that one, which gets the terminal's Ctrl-C itself."""
    sys.stdout.flush()
    os.execve(command[0], command, without_news(os.environ))
