"""The playground's page in a browser, from a file, with the network off."""

import re

import pytest
from browser import chromium, colors, picture_folder, until

import greetlab as gl
from greetlab.views.play import document

PLAY = "document.getElementById('play').play"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory, "play")


@pytest.fixture
def show(browser, tmp_path):
    """Opens the page; in the end, nothing may have gone wrong in it."""
    contexts, wrong = [], []
    file = tmp_path / "play.html"
    file.write_text(document(), encoding="utf-8")

    def opened(fragment="", width=1280, height=900):
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.append(asked.url) if "file:" not in asked.url else 0)
        page.goto(file.as_uri() + fragment)
        until(page, f"{PLAY} && {PLAY}.world")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def shares(page):
    """Pod to how many calls it answered."""
    return {
        name: int(count)
        for name, count in re.findall(r"([\w-]+): (\d+) of", page.inner_text(".gl-share"))
    }


def test_the_presets_are_what_they_say(show):
    page = show()
    assert sorted(shares(page).values()) == [0, 0, 100]
    page.click("text=cured")
    assert sorted(shares(page).values()) == [33, 33, 34]
    page.click("text=a pod killed")
    assert shares(page)["pod-2"] < 20
    assert sum(shares(page).values()) == 100


def test_a_lever_makes_another_world_and_its_link(show):
    page = show()
    page.select_option("select[aria-label=Service]", "greetserver-headless")
    page.select_option("select[aria-label=Policy]", "round_robin")
    assert "open+greetserver-headless+policy=round_robin" in page.url
    assert sorted(shares(page).values()) == [33, 33, 34]
    assert gl.Cluster.from_link(page.url).trace.core.digest() == page.evaluate(
        f"{PLAY}.world.digest"
    )


def test_a_pod_is_killed_at_the_moment_of_the_picture(show):
    page = show("#v1+pods=3+seed=7;open+greetserver;load+client-1+calls=50+interval=100ms;@10s")
    before = page.evaluate(f"{PLAY}.world.digest")
    page.evaluate(f"{PLAY}.flow.player.to({PLAY}.world.length >> 1)")
    page.click("text=kill pod-1")
    assert re.search(r";@[\d]+ns\+kill\+pod-1|;@[\w]+\+kill\+pod-1", page.url)
    assert page.evaluate(f"{PLAY}.world.digest") != before
    assert gl.Cluster.from_link(page.url).trace.core.digest() == page.evaluate(
        f"{PLAY}.world.digest"
    )


def test_a_notebook_s_world_opens_in_the_page(show):
    cluster = gl.Cluster.sim(pods=4, seed=3)
    cluster.channel("greetserver-headless", policy="round_robin").greet(times=8)
    cluster.kill("pod-1")
    cluster.run(2)
    page = show(cluster.link())
    assert page.evaluate(f"{PLAY}.world.digest") == cluster.trace.core.digest()
    assert sum(shares(page).values()) == 8


def test_a_bad_link_is_a_sentence_and_an_empty_world(show):
    page = show("#v1;open+<b>bold</b>+policy=fair")
    assert "This link cannot be opened" in page.inner_text(".gl-said")
    assert "policy 'fair': there is pick_first" in page.inner_text(".gl-said")
    assert page.query_selector(".gl-said b") is None
    page.click("text=cured")
    assert page.inner_text(".gl-said") == ""


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits(show, pictures, width):
    page = show(width=width, height=844)
    page.click("text=a pod killed")
    page.evaluate(f"{PLAY}.flow.player.to(120)")
    until(page, "document.querySelector('.gl-scene').width > 100")
    assert colors(page, ".gl-scene") > 10
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"play-{width}.png", full_page=True)
