"""Frames of the playground in Chromium, while it plays: the 95th percentile between two of them."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from greetlab.views.play import document

PLAYS = """([link, frames]) => new Promise((done) => {
  const { play } = document.getElementById("play");
  if (link) {
    play.sandboxOf(link);
    play.flow.player.speed = 1;
    play.flow.player.play();
  } else play.essay.leave();
  const between = [];
  let last = 0;
  const look = (now) => {
    if (last) between.push(now - last);
    last = now;
    if (between.length < frames) requestAnimationFrame(look);
    else done(between.slice(frames / 10).sort((a, b) => a - b));
  };
  requestAnimationFrame(look);
})"""


def main(chromium: str, frames: int, link: str = "") -> None:
    """Prints {"nanoseconds": ...}. link: "": the page with nothing that moves."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        file = Path(folder) / "play.html"
        file.write_text(document(), encoding="utf-8")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(file.as_uri())
        page.locator(".gl-tabs").wait_for()
        between = page.evaluate(PLAYS, [link, frames])
        browser.close()
    print(json.dumps({"nanoseconds": between[len(between) * 95 // 100] * 1e6}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
