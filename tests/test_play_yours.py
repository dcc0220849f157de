"""A picker of one's own, written in the page and judged in a hundred worlds."""

import re

from playing import until
from test_play_page import address, browser, file, pictures, show  # noqa: F401  (fixtures)

LEAST = """function pick(ready) {
  const least = Math.min(...ready.map((one) => one.in_flight));
  const all = ready.filter((one) => one.in_flight === least);
  return all[Math.floor(random() * all.length)];
}"""


def run(page, source=None):
    if source is not None:
        page.locator(".gl-editor").fill(source)
    page.get_by_role("button", name="Run it in 100 worlds").click()


def verdict(page, words):
    page.locator(".gl-verdict", has_text=re.compile(words)).wait_for()
    return page.locator(".gl-verdict").inner_text()


def test_a_picker_is_written_judged_and_its_worst_world_drawn(show, pictures):  # noqa: F811
    page = show("#yours-3")
    assert page.locator(".gl-yours h2").inner_text() == "The least busy"
    assert page.locator(".gl-stage canvas").count() == 0
    run(page)
    assert "The worst is that of seed " in verdict(page, "^Passed in 0 of 100 worlds")
    assert page.locator(".gl-yours .gl-stage canvas").count() > 0
    run(page, LEAST)
    verdict(page, "Passed, in 100 of 100 worlds")
    for width, theme in ((390, "light"), (1280, "dark")):
        page.set_viewport_size({"width": width, "height": 1000})
        page.emulate_media(color_scheme=theme)
        until(page, f"document.documentElement.scrollWidth <= {width}")  # the picture follows
        page.screenshot(path=pictures / f"yours-{width}-{theme}.png", full_page=True)
    assert "function%20pick" in address(page)


def test_what_is_wrong_with_it_is_told_and_can_be_mended(show):  # noqa: F811
    page = show("#yours-1")
    run(page, "function pick(ready {")
    assert "line 1" in verdict(page, "This is no JavaScript")
    run(page, "function pick() { throw new Error('<b>no</b>'); }")
    assert verdict(page, "^pick threw Error") == "pick threw Error: <b>no</b>."
    run(page, "function pick(ready) { return 3; }")
    verdict(page, "pick returned 3: it is to return one of ready, or null to wait")
    run(page, "function pick(ready) { for (;;); }")
    page.get_by_role("button", name="Stop").click()
    verdict(page, "^Stopped.$")
    # Not even what needs no network: the policy of the page is the worker's, too.
    reads = "let read = 'waits'; fetch('data:,x').then(() => { read = 'read'; }, () => {});"
    run(page, f"{reads} function pick() {{ throw read; }}")
    verdict(page, "^pick threw waits")
    page.get_by_role("button", name="Begin anew").click()
    assert page.locator(".gl-editor").input_value().startswith("function pick(ready, call)")


def test_one_that_never_ends_is_ended(show):  # noqa: F811
    page = show("#yours-2")
    page.clock.install()
    run(page, "function pick(ready) { for (;;); }")
    page.clock.fast_forward(10_000)
    verdict(page, "is there a loop that never ends")
    run(page, "let turn = 0; function pick(ready) { return ready[turn++ % ready.length]; }")
    verdict(page, "Passed, in 100 of 100 worlds")


def test_the_code_of_a_link_is_shown_and_not_run(show):  # noqa: F811
    page = show("#yours-2=" + "function%20pick(ready)%20%7B%20return%20ready%5B1%5D%3B%20%7D")
    assert page.locator(".gl-editor").input_value() == "function pick(ready) { return ready[1]; }"
    assert "Read it before you run it" in page.locator(".gl-verdict").inner_text()
    run(page)
    verdict(page, "pick returned nothing")  # of the first one alone there is no second


def test_the_keyboard_is_not_caught_in_the_editor(show):  # noqa: F811
    page = show("#yours-2")
    editor = page.locator(".gl-editor")
    editor.focus()
    before = editor.input_value()
    page.keyboard.press("Tab")
    assert len(editor.input_value()) == len(before) + 2
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") != "gl-editor"
