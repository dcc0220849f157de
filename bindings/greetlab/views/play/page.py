"""The page: one file that needs nothing else, or a folder for any host of static files."""

from __future__ import annotations

import base64
import gzip
import json
from importlib.resources import files
from pathlib import Path

from greetlab.text import markup
from greetlab.views.palette import FAILED, STYLES
from greetlab.views.widget import page
from greetlab.views.widget.modules import join, needed

_FILES = files("greetlab.views.play")
_ENTRY = "play.js"


def document(link: str = "") -> str:
    """The page as one file. Opens by double click, without a network and without a server.

    link: what it opens with: a world or two, or "#scene-3". What stands after "#" in the page's own
    address goes before it.
    """
    engine = base64.b64encode(gzip.compress(_engine(), 9, mtime=0)).decode()
    script = join(page.scripts(), _ENTRY, default="playground") + _FROM_TEXT.format(
        engine=engine, judge=json.dumps(_judge()).replace("<", "\\u003c")
    )
    return _PAGE.format(
        policy="script-src 'unsafe-inline' 'wasm-unsafe-eval'; worker-src blob:; "
        "style-src 'unsafe-inline'",
        head="".join(f"<style>\n{style}</style>\n" for style in _styles().values()),
        palette=_palette(),
        link=markup(link),
        script=f'<script type="module">\n{script}</script>',
    )


def site() -> dict[str, bytes]:
    """The page as a folder's files, by their paths, for a host of static files.

    The scripts are the modules that the one file is joined of. The page allows itself nothing but
    its own files, so a host may send a Content-Security-Policy as strict. It needs http:
    browsers load no modules from file://.
    """
    scripts = page.scripts()
    modules = needed(scripts, _ENTRY)
    # Known from the beginning: else each would be asked for when its importer has come.
    ahead = [f'<link rel="modulepreload" href="js/{name}">\n' for name in modules]
    index = _PAGE.format(
        policy="script-src 'self' 'wasm-unsafe-eval'; worker-src blob:; style-src 'self'; "
        "connect-src 'self'; img-src 'self'",
        head='<link rel="icon" href="icon.svg">\n'
        + "".join([*(f'<link rel="stylesheet" href="{name}">\n' for name in _styles()), *ahead]),
        palette=_palette(),
        link="",
        script='<script type="module" src="start.js"></script>',
    )
    return {
        "index.html": index.encode(),
        "start.js": _FROM_FILE.encode(),
        "engine.wasm": _engine(),
        "icon.svg": _ICON.encode(),
        "judge.js": _judge().encode(),
        **{name: style.encode() for name, style in _styles().items()},
        **{f"js/{name}": scripts[name].encode() for name in modules},
    }


def write_site(folder: Path) -> list[Path]:
    """Writes `site()` there, and says what. Makes the folder; raises OSError if it cannot."""
    written = []
    for name, content in site().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def _engine() -> bytes:
    return (_FILES / "engine.wasm").read_bytes()


def _judge() -> str:
    """What judges a picker of the learner's own, in a worker: a script without imports."""
    return join(page.scripts(), "judge.js", default="judging")


def _styles() -> dict[str, str]:
    return {
        "flow.css": page.style(),
        "play.css": (_FILES / "play.css").read_text(encoding="utf-8"),
    }


def _palette() -> str:
    styles = [{"color": style.color, "marker": style.marker} for style in STYLES]
    return markup(json.dumps({"styles": styles, "failed": FAILED.color}))


# A client, and three pods. Without one, browsers ask for a favicon.ico, which is forbidden here.
_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" stroke="#3451d1">
<path d="M3 8L13 2.5M3 8h10M3 8l10 5.5"/>
<g fill="#3451d1"><circle cx="3" cy="8" r="2.5"/><circle cx="13" cy="2.5" r="2"/>
<circle cx="13" cy="8" r="2"/><circle cx="13" cy="13.5" r="2"/></g>
</svg>
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; {policy}">
<title>greetlab: the playground</title>
{head}</head>
<body>
<main class="gl-play">
<header>
<h1>Who answers?</h1>
<p>A client calls a service of some pods. What runs here is the lab's own load-balancing core.</p>
</header>
<div id="play" data-palette="{palette}" data-link="{link}"></div>
</main>
<noscript>This page runs the lab's core as WebAssembly, and needs scripts for it.</noscript>
{script}
</body>
</html>
"""

_FROM_TEXT = """{{
  const packed = Uint8Array.from(atob("{engine}"), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  playground.start(document.getElementById("play"), bytes, {judge});
}}
"""

_FROM_FILE = """import playground from "./js/play.js";

const [engine, judge] = await Promise.all([fetch("engine.wasm"), fetch("judge.js")]);
playground.start(document.getElementById("play"), await engine.arrayBuffer(), await judge.text());
"""
