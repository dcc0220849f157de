"""A notebook as a learner has it: a real JupyterLab in a real browser, run from top to bottom."""

import os
import re

import psutil
import pytest
from browser import FLOW, chromium, colors, picture_folder, position, until
from notebook_server import greetlab, link
from playing import PLAY

import greetlab as gl

NAME = "03_round_robin.ipynb"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

# The first test to come starts JupyterLab and runs the notebook, some ten seconds' work.
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab as `greetlab notebooks` starts it, with nobody's settings but its own.

    In the end, none of its processes may be left: kernel, pods, ClusterIP, DNS.
    """
    home = tmp_path_factory.mktemp("home")
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    own = {name: str(home / name.lower()) for name in folders}
    with greetlab(home / "notebooks", "--no-browser", env={**os.environ, **own}) as process:
        try:
            host, port, token, _ = link(process)
            yield process, f"http://{host}:{port}/lab/tree/{NAME}?token={token}"
        finally:
            started = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.communicate(timeout=20)
    assert psutil.wait_procs(started, timeout=10)[1] == []


@pytest.fixture(scope="module")
def lab(server):
    """The page, with every cell of the notebook run."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(15_000)
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(server[1])
        idle = page.locator(".jp-StatusBar-Widget", has_text="| Idle")
        idle.first.wait_for(timeout=60_000)
        choose(page, "Run", "Run All Cells")
        # The kernel is idle between two cells, too; the last one to run has the last number.
        page.locator(".jp-CodeCell").last.locator(
            ".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")
        ).wait_for(state="attached", timeout=60_000)
        idle.first.wait_for()
        yield page
        assert wrong == []


@pytest.fixture
def flow(lab):
    """The page with the flow in sight, at its beginning, and with the keyboard."""
    lab.locator(".gl-flow").scroll_into_view_if_needed()
    lab.click(".gl-lesson")
    lab.keyboard.press("Escape")
    lab.keyboard.press("Home")
    assert position(lab) == 0
    return lab


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory, "jupyterlab")


def choose(page, *entries):
    """Goes through JupyterLab's menu."""
    first, *others = entries
    page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{first}$")).click()
    for entry in others:
        page.locator(".lm-Menu-item").get_by_text(entry, exact=True).click()


def digest(link):
    """Of the same world in Python."""
    return gl.Cluster.from_link(link).trace.core.digest()


def cells(page):
    """What stands in the notebook's cells, which a stray key would change."""
    return page.locator(".jp-Notebook .jp-InputArea-editor").all_text_contents()


def test_every_cell_has_run_without_an_error(lab):
    prompts = lab.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()
    assert prompts == [f"[{number}]:" for number in range(1, len(prompts) + 1)]
    assert len(prompts) > 10
    assert lab.locator(".jp-OutputArea-output[data-mime-type$=error]").all_text_contents() == []
    assert lab.locator(".jp-OutputArea-output[data-mime-type$=stderr]").all_text_contents() == []


def test_nothing_asks_for_news_over_the_first_picture(lab):
    assert lab.locator(".jp-Notification-List, .Toastify__toast").count() == 0
    assert "news" not in lab.inner_text("body")


def test_the_figures_are_there_and_say_what_they_show(lab):
    images = lab.locator(".jp-OutputArea img")
    assert images.count() >= 5
    for image in images.all():
        image.scroll_into_view_if_needed()
        drawn, alt = image.evaluate("async (it) => (await it.decode(), [it.naturalWidth, it.alt])")
        assert drawn > 500
        assert len(alt) > 40


def test_the_flow_is_alive_and_not_its_still_picture(flow):
    output = flow.locator(".jp-OutputArea-child", has=flow.locator(".gl-flow"))
    assert output.count() == 1
    assert output.locator("img").count() == 0
    assert colors(flow, ".gl-scene") > 50
    assert colors(flow, ".gl-lanes") > 20
    assert flow.inner_text(".gl-badge") == "LOCAL"


def test_it_plays_pauses_and_steps(flow):
    flow.click("[aria-label^=Play]")
    until(flow, f"{FLOW}.player.position > 3")
    flow.click("[aria-label^=Pause]")
    paused = position(flow)
    assert paused > 3
    flow.click("[aria-label^='One event forward']")
    assert position(flow) == paused + 1
    flow.click("[aria-label^='One event back']")
    assert position(flow) == paused
    assert not flow.evaluate(f"{FLOW}.player.playing")


def test_its_keys_are_not_the_notebooks(flow):
    before = cells(flow)
    there = flow.evaluate("document.querySelector('.gl-flow').getBoundingClientRect().top")
    events = flow.evaluate(f"{FLOW}.clock.events")
    for key, expected in [("ArrowRight", 1), ("End", events), ("ArrowLeft", events - 1)]:
        flow.keyboard.press(key)
        assert position(flow) == expected, key
    flow.focus(".gl-lanes")
    flow.keyboard.press("Shift+ArrowLeft")
    assert position(flow) < events - 1
    # To JupyterLab: a cell above, one below, cut, delete, paste, markdown, run; and Space scrolls.
    for key in ["a", "b", "x", "d", "d", "v", "m", "Enter", "Shift+Enter", "Space", "Space"]:
        flow.keyboard.press(key)
    assert cells(flow) == before
    now = flow.evaluate("document.querySelector('.gl-flow').getBoundingClientRect().top")
    assert now == pytest.approx(there, abs=1)
    assert flow.locator(".jp-Notebook.jp-mod-editMode").count() == 0


def test_a_click_on_a_request_tells_why(flow):
    row = flow.evaluate(f"{FLOW}.models[0].calls[30].picked")
    flow.evaluate(f"{FLOW}.player.to({FLOW}.clock.indexOf(0, {row}) + 1)")
    until(flow, f"!{FLOW}.asked")
    x, y = flow.evaluate(
        f"(({{ panels, zoom }}) => (({{ x, y }}) => [x * zoom, y * zoom])("
        f"panels[0].view.marks.at(-1)))({FLOW})"
    )
    flow.click(".gl-scene", position={"x": x, "y": y})
    chain = [" ".join(text.split()) for text in flow.locator(".gl-chain li").all_inner_texts()]
    assert re.match(r"\d{1,5}\.\d{3} ms call 31 goes to 127\.", chain[0]), chain
    assert len(chain) > 3
    assert all(" because " in line for line in chain[1:])


@pytest.mark.parametrize("theme", THEMES)
def test_it_can_be_shown(flow, pictures, theme):
    choose(flow, "Settings", "Theme", THEMES[theme])
    until(flow, f"{FLOW}.root.dataset.theme === '{theme}'")
    flow.wait_for_selector("#jupyterlab-splash", state="detached")
    flow.evaluate(f"{FLOW}.player.scrub({FLOW}.clock.length * 0.6)")
    for width, height in [(1280, 800), (1920, 1080)]:
        flow.set_viewport_size({"width": width, "height": height})
        until(flow, f"{FLOW}.width === {FLOW}.panels[0].section.clientWidth && !{FLOW}.asked")
        assert flow.evaluate("document.documentElement.scrollWidth") <= width
        flow.locator(".gl-flow").scroll_into_view_if_needed()
        flow.screenshot(path=pictures / f"{theme}-{width}-flow.png")
        figure = flow.locator(".jp-OutputArea img").nth(1)
        figure.scroll_into_view_if_needed()
        figure.evaluate("(it) => it.decode()")
        turned = figure.evaluate("(it) => getComputedStyle(it).filter")
        assert ("invert" in turned) == (theme == "dark"), turned
        flow.screenshot(path=pictures / f"{theme}-{width}-figure.png")


def test_the_playground_shows_the_notebooks_own_world(lab):
    shown = lab.locator(".jp-OutputArea iframe")
    shown.scroll_into_view_if_needed()
    page = shown.element_handle().content_frame()
    until(page, PLAY)
    link = page.input_value(".gl-address")
    assert page.evaluate(f"{PLAY}.world.digest") == digest(link)
    page.click("[data-pod=pod-3]")  # a person's click, in the frame
    page.click(".gl-menu >> text=kill")
    killed = page.input_value(".gl-address")
    assert "kill+pod-3" in killed
    assert page.evaluate(f"{PLAY}.world.digest") == digest(killed) != digest(link)


def test_the_kernel_and_the_pods_are_the_servers(server, lab):
    commands = [
        " ".join(one.cmdline()) for one in psutil.Process(server[0].pid).children(recursive=True)
    ]
    assert any("ipykernel" in command for command in commands)
    assert sum("greet-server" in command for command in commands) == 3
