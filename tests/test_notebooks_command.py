"""`greetlab notebooks`: copies that keep the learner's work, and JupyterLab on loopback."""

import json
import os
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from notebook_server import greetlab, link
from support import wait_until

from greetlab.commands.notebooks import copy_notebooks, jupyter_command, without_news

NAMES = sorted(file.name for file in (Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def test_the_notebooks_come_with_the_package(tmp_path):
    copies = list(copy_notebooks(tmp_path / "new" / "folder"))
    assert [(copy.name, copy.result) for copy in copies] == [(name, "new") for name in NAMES]
    for name in NAMES:
        assert json.loads((tmp_path / "new" / "folder" / name).read_text())["nbformat"] == 4


def test_the_learners_own_work_is_kept(tmp_path):
    list(copy_notebooks(tmp_path))
    mine = tmp_path / NAMES[1]
    mine.write_text("mine")
    (tmp_path / NAMES[2]).unlink()
    results = [copy.result for copy in copy_notebooks(tmp_path)]
    assert results == ["same", "kept", "new", *["same"] * (len(NAMES) - 3)]
    assert mine.read_text() == "mine"


def test_without_jupyterlab_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("greetlab.commands.notebooks.find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"pip install 'greetlab\[notebooks\]'"):
        jupyter_command(tmp_path, browser=False)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_folder_that_cannot_be_is_an_error_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with greetlab(tmp_path / "file" / "folder", "--no-browser") as process:
        assert "greetlab notebooks: " in process.communicate(timeout=30)[0]
    assert process.returncode == 2


def test_it_opens_jupyterlab_on_loopback_with_a_token(tmp_path):
    with greetlab(tmp_path, "--no-browser") as process:
        try:
            host, port, token, said = link(process)
            assert token
            assert host in ("127.0.0.1", "localhost")
            assert any("01_lookup.ipynb" in line and "new" in line for line in said)
            wait_until(lambda: listens(int(port)))  # it listens after it has said where
            contents = f"http://127.0.0.1:{port}/api/contents"
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with pytest.raises(urllib.error.HTTPError) as refused:
                opener.open(contents, timeout=10)
            assert refused.value.code == 403
            refused.value.close()
            with opener.open(f"{contents}?token={token}", timeout=10) as answer:
                names = [entry["name"] for entry in json.load(answer)["content"]]
            assert sorted(names) == NAMES
        finally:
            process.terminate()
            process.communicate(timeout=20)


def test_it_does_not_ask_for_news_and_keeps_the_users_own_configuration():
    mine = without_news({"JUPYTER_CONFIG_PATH": "/mine", "A": "b"})
    first, ours = mine["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert (first, mine["A"]) == ("/mine", "b")
    told = json.loads((Path(ours) / "labconfig" / "page_config.json").read_text())
    assert told["disabledExtensions"] == {"@jupyterlab/apputils-extension:announcements": True}
