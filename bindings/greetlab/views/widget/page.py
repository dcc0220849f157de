"""What the page is made of: the scripts, joined to one module, the style, and the page itself."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from importlib.resources import files

from greetlab.text import lines
from greetlab.views.widget.modules import join


def _read(name: str) -> str:
    return (files("greetlab.views.widget") / name).read_text(encoding="utf-8")


def script() -> str:
    """The ES module; its default export is anywidget's `{render}`."""
    return f"{_flow()}\nexport default flow;\n"


def _flow() -> str:
    """The scripts as one, in which `flow` is the widget."""
    return join(scripts(), "widget.js", default="flow")


def scripts() -> dict[str, str]:
    """The text of every script, by its file's name."""
    found = (files("greetlab.views.widget") / "js").iterdir()
    return {file.name: file.read_text(encoding="utf-8") for file in found}


def style() -> str:
    """The style sheet."""
    return _read("flow.css")


def document(blocks: Sequence[bytes], summary: str) -> str:
    """A page that plays these packed traces.

    summary: for those who cannot see it, or run no scripts.
    """
    data = ", ".join(f'"{base64.b64encode(block).decode()}"' for block in blocks)
    return _PAGE.format(
        summary=html.escape(lines(summary.split("\n"))),
        style=style(),
        script=_flow(),
        data=data,
    )


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>greetlab: the request flow</title>
<style>
{style}
html {{ color-scheme: light dark; }}
body {{ margin: 0; }}
@media (prefers-color-scheme: dark) {{ html {{ background: #12161c; }} }}
body > .gl-flow {{ margin: 0 auto; max-width: 1800px; min-height: 100vh; border: 0; }}
</style>
</head>
<body>
<noscript>{summary}</noscript>
<script type="module">
{script}
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const [data, other] = [{data}].map(bytes);
const root = document.createElement("div");
document.body.append(root);
flow.render({{ model: {{ get: (name) => ({{ data, other }})[name] }}, el: root }});
</script>
</body>
</html>
"""
