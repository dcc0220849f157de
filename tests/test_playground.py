"""`gl.Playground()`: the page in a notebook's cell."""

import html
import re

import pytest
from browser import chromium, until

import greetlab as gl

WORLD = "v1+pods=3+seed=7;open+greetserver-headless+policy=round_robin"


def frame(shown):
    return shown._repr_mimebundle_()["text/html"]


def page_of(shown):
    [document] = re.findall(r'srcdoc="([^"]*)"', frame(shown))
    return html.unescape(document)


def test_a_cluster_is_shown_with_all_that_was_done_to_it():
    cluster = gl.Cluster.sim(pods=3, seed=7)
    cluster.channel("greetserver").greet("Ada", times=6)
    cluster.kill("pod-1")
    shown = gl.Playground(cluster)
    assert f"#{shown.link}" == cluster.link()
    assert "kill+pod-1" in page_of(shown)
    again = gl.Cluster.from_link(shown.link)
    assert again.trace.core.digest() == cluster.trace.core.digest()


def test_a_link_a_scene_or_nothing(tmp_path):
    assert gl.Playground(f"file:///play.html#{WORLD}").link == WORLD
    assert gl.Playground(f"{WORLD}!{WORLD}").link == f"{WORLD}!{WORLD}"
    assert gl.Playground(scene=3).link == "scene-3"
    assert gl.Playground().link == ""
    gl.Playground(scene=3).save(tmp_path / "play.html")
    assert '"#scene-3"' in (tmp_path / "play.html").read_text()


@pytest.mark.parametrize(
    ("world", "more", "error", "words"),
    [
        ("nonsense", {}, ValueError, "link"),
        (3, {}, TypeError, "a cluster of the sim, or a link, not 3"),
        ("", {"scene": 10}, ValueError, "it is 1 to 9"),
        (WORLD, {"scene": 1}, ValueError, "without a world"),
    ],
)
def test_what_cannot_be_shown_is_said(world, more, error, words):
    with pytest.raises(error, match=words):
        gl.Playground(world, **more)


def test_what_comes_from_outside_ends_neither_the_script_nor_the_frame():
    with pytest.raises(ValueError, match="policy"):
        gl.Playground(f'{WORLD}"></iframe><script>alert(1)</script>')
    from greetlab.views.play import document

    page = document('"</script><script>alert(1)</script>')
    assert "<script>alert" not in page
    assert page.count("<script") == page.count("</script") == 1


def test_it_plays_in_a_frame_that_has_no_address():
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        shown = gl.Playground(f"{WORLD};load+client-1+calls=30+interval=100ms;@5s")
        page.set_content(f"<p>a notebook</p>{frame(shown)}")
        inside = page.frames[1]
        until(inside, "document.getElementById('play').play")
        assert inside.locator(".gl-sandbox").is_visible()
        inside.get_by_role("button", name="The essay").click()
        assert inside.locator("h2", has_text="One connection, one pod").is_visible()
        inside.get_by_role("button", name="Your own policy").click()
        inside.get_by_role("button", name="Run it in 100 worlds").click()
        inside.locator(".gl-verdict", has_text=re.compile("Passed in 0 of 100")).wait_for()
        assert wrong == []
