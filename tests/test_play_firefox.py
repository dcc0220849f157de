"""The page in Firefox: the engine, every scene's claim, and links, bad ones, too. One browser."""

import pytest
from firefox import firefox
from playing import BAD_LINKS, PLAY, every_claim, is_refused, served, until

import greetlab as gl
from greetlab.views.play import document, write_site

WORLD = "#v1+pods=3+seed=7;open+greetserver-headless+policy=round_robin"
KILLED = f"{WORLD};load+client-1+calls=100+interval=100ms;@4s+kill+pod-2;@10s"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with firefox(tmp_path_factory.mktemp("firefox")) as opened:
        yield opened


@pytest.fixture
def show(tab, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "play.html"
    if not file.exists():
        file.write_text(document(), encoding="utf-8")

    def shown(fragment):
        tab.show(file.as_uri() + fragment)
        until(tab, PLAY)
        return tab

    tab.wrong.clear()
    yield shown
    assert tab.wrong == []


def test_every_scene_s_claim_holds_at_every_place_of_its_levers(show):
    assert every_claim(show("#scene-1")) > 25


def test_a_guess_is_dragged_and_told(show):
    page = show("#scene-1")
    left, top, width, height = page.box(".gl-track input")
    middle = top + height / 2
    page.mouse((left + 8, middle), (left + width / 2, middle), (left + width - 2, middle))
    assert page.text(".gl-counted") == "handed out: 60 of 60 calls"
    page.click(".gl-main")
    until(page, "document.querySelector('.gl-outcome').textContent")
    assert "answered all 60 calls" in page.text(".gl-outcome")
    page.click("summary", "The last of these calls")
    assert "because the ClusterIP sends the new connection to" in page.text(".gl-because ol")
    page.evaluate("document.querySelector('.gl-onwards button').focus()")
    page.press("Enter")


def test_the_running_world_of_a_scene_is_acted_on(show):
    page = show("#scene-2")
    page.click(".gl-main")
    page.evaluate(f"{PLAY}.flow.player.to(90)")
    page.click(".gl-levers button", "scale to 5 pods")
    assert page.evaluate(f"{PLAY}.essay.links[0]").endswith("+scale+5;@6s")
    until(page, "document.querySelector('.gl-outcome').textContent.includes('pod\u20115 0')")


def test_a_lever_of_the_sandbox_makes_another_world(show):
    page = show(KILLED)
    assert page.evaluate(f"{PLAY}.world.digest") == digest(KILLED)
    page.evaluate("document.querySelector('select[aria-label=Policy]').focus()")
    page.press("r", "a", "n", "d", "o", "m", "Enter")
    until(page, "location.hash.includes('policy=random;')")
    link = page.evaluate("location.hash")
    assert page.evaluate(f"{PLAY}.world.digest") == digest(link) != digest(KILLED)


def digest(link):
    return gl.Cluster.from_link(link).trace.core.digest()


def test_a_hostile_link_is_only_text(show):
    for link, said in BAD_LINKS.items():
        is_refused(show(link), link, said)
    megabyte = f"#{'x' * 1_000_000}"  # which Chromium needs seconds to go to
    is_refused(show(megabyte), megabyte, "1000000 letters long")


def test_a_folder_is_served_with_a_strict_policy(tab, tmp_path):
    write_site(tmp_path)
    tab.wrong.clear()
    with served(tmp_path) as address:
        tab.show(f"{address}index.html{KILLED}")
        until(tab, PLAY)
        assert tab.evaluate(f"{PLAY}.world.digest") == digest(KILLED)
    assert tab.wrong == []
