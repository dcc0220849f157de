"""The page: one file that needs nothing else, neither a network nor a server."""

from __future__ import annotations

import base64
import gzip
import json
from importlib.resources import files

from greetlab.views.palette import FAILED, STYLES
from greetlab.views.widget import page
from greetlab.views.widget.modules import join


def document(first: str = "") -> str:
    """The page. Opens by double click; what stands after "#" in its address is a world.

    first: what it shows where nothing stands there: "v1+pods=3...", "scene-3"; "": the first scene.
    """
    play = files("greetlab.views.play")
    engine = gzip.compress((play / "engine.wasm").read_bytes(), 9, mtime=0)
    palette = {
        "styles": [{"color": style.color, "marker": style.marker} for style in STYLES],
        "failed": FAILED.color,
    }
    return _PAGE.format(
        style=page.style() + (play / "play.css").read_text(encoding="utf-8"),
        script=join(page.scripts(), "play.js", default="playground"),
        engine=base64.b64encode(engine).decode(),
        palette=json.dumps(palette),
        first=_text(f"#{first}" if first else ""),
        judge=_text(join(page.scripts(), "judge.js", default="judging")),
    )


def _text(text: str) -> str:
    """As a script has it: it cannot end the script, whatever it says."""
    return json.dumps(text).replace("<", "\\u003c")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval';
               worker-src blob:; style-src 'unsafe-inline'">
<title>greetlab: the playground</title>
<style>
{style}
</style>
</head>
<body>
<main class="gl-play">
<header>
<h1>Who answers?</h1>
<p>A client calls a service of some pods. What runs here is the lab's own load-balancing core.</p>
</header>
<div id="play"></div>
</main>
<noscript>This page runs the lab's core as WebAssembly, and needs scripts for it.</noscript>
<script type="module">
{script}
{{
  const packed = Uint8Array.from(atob("{engine}"), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  playground.start(document.getElementById("play"), bytes, {palette}, {judge}, {first});
}}
</script>
</body>
</html>
"""
