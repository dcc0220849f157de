"""Debian's Chromium, driven from the tests; what they wait for, and where pictures go."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from playing import until

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("no browser: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api")

__all__ = ["FLOW", "chromium", "colors", "picture_folder", "position", "until"]

FLOW = "document.querySelector('.gl-flow').flow"


@contextmanager
def chromium():
    """The browser, which is closed in the end."""
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def picture_folder(factory, name):
    """Where screenshots go: below FLOW_PICTURES, or in the run's own folder."""
    kept = os.environ.get("FLOW_PICTURES")
    folder = Path(kept) if kept else factory.mktemp(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def position(page):
    """How many events have happened in the flow."""
    return page.evaluate(f"{FLOW}.player.position")


def colors(page, selector):
    """How many colours a canvas shows; an empty one has one."""
    return page.evaluate(
        """(selector) => {
          const canvas = document.querySelector(selector);
          const { width, height } = canvas;
          const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
          return new Set(new Uint32Array(data.buffer)).size;
        }""",
        selector,
    )
