"""Takes docs/play.png, the playground's picture: .venv/bin/python docs/play.py (needs chromium)"""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import greetlab as gl

WORLD = (
    "v1+pods=3+seed=7;open+greetserver-headless+policy=round_robin;"
    "load+client-1+calls=100+interval=100ms;@4s+kill+pod-2;@10s"
)


def main() -> None:
    """A pod is killed, and the turns go on among the others."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "play.html"
        gl.Playground(WORLD).save(page_file)
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = chromium.new_page(
            viewport={"width": 1280, "height": 900},
            device_scale_factor=1.5,
            color_scheme="light",
            bypass_csp=True,  # Playwright's waiting needs eval()
        )
        page.goto(page_file.as_uri())
        page.wait_for_function("document.getElementById('play').play?.flow")
        flow = "document.getElementById('play').play.flow"
        page.evaluate(f"{flow}.player.pause?.()")
        page.evaluate(f"{flow}.player.to(Math.round({flow}.clock.events * 0.45))")
        page.wait_for_function(f"!{flow}.asked")
        page.screenshot(path=Path(__file__).with_name("play.png"))
        chromium.close()


if __name__ == "__main__":
    main()
