"""The site: README, playground, gallery, labs, API reference, bench and glossary, static.

    ./run site [FOLDER]      # build/site, if no other is given

MkDocs and mkdocstrings make it of what stands in the tree: no page is written twice. A link that
leads nowhere fails the build.
"""

from __future__ import annotations

import base64
import html
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat

import greetlab

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "site-sources"
PAGES = {
    "index.md": "README.md",
    "docs/python.md": "docs/python.md",
    "docs/commands.md": "docs/commands.md",
    "docs/limits.md": "docs/limits.md",
    "labs/README.md": "labs/README.md",
    "k8s/README.md": "k8s/README.md",
    "bench/README.md": "bench/README.md",
    "cpp/README.md": "cpp/README.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
}
GREETLAB = Path(sys.executable).with_name("greetlab")
LABS = sorted(path.parent.name for path in (ROOT / "labs").glob("*/README.md"))
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks" / "gallery").glob("*.ipynb"))
CONFIG = """\
site_name: greetlab
site_description: See, and break, how gRPC load balancing on Kubernetes really works.
docs_dir: {docs}
site_dir: {site}
use_directory_urls: false
theme:
  name: material
  font: false
  features: [navigation.sections, navigation.footer, navigation.top, toc.follow, content.code.copy]
  palette:
    - media: "(prefers-color-scheme: light)"
      scheme: default
      primary: indigo
    - media: "(prefers-color-scheme: dark)"
      scheme: slate
      primary: indigo
plugins:
  - search
  - mkdocstrings:
      handlers:
        python:
          paths: [{package}]
          options: {{show_source: false, show_root_heading: true, show_root_full_path: false,
                    show_bases: false, members_order: source, docstring_style: google,
                    allow_inspection: false}}
extra_css: [site.css]
markdown_extensions: [admonition, def_list, md_in_html, tables, toc, pymdownx.superfences]
validation: {{links: {{not_found: warn, anchors: warn, unrecognized_links: warn}}}}
nav:
"""


def main() -> None:
    """Builds it."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site").resolve()
    shutil.rmtree(WORK, ignore_errors=True)
    docs = WORK / "docs"
    for page, source in PAGES.items():
        write(docs / page, linked((ROOT / source).read_text(), ROOT / source))
    for lab in LABS:
        source = ROOT / "labs" / lab / "README.md"
        write(docs / "labs" / lab / "README.md", linked(source.read_text(), source))
    for picture in (ROOT / "docs").glob("*.png"):
        (docs / "docs").mkdir(exist_ok=True)
        shutil.copy(picture, docs / "docs")
    shutil.copy(Path(__file__).with_name("site.css"), docs)
    for name in NOTEBOOKS:
        page = docs / "notebooks" / "gallery" / f"{name}.md"
        write(page, notebook(name, page.with_suffix("")))
    write(docs / "glossary.md", glossary())
    write(docs / "designs.md", designs())
    api(docs)
    config = CONFIG.format(docs=docs, site=site, package=Path(greetlab.__file__).parents[1])
    write(WORK / "mkdocs.yml", config + navigation())
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--clean"]
    done = subprocess.run([*command, "--config-file", WORK / "mkdocs.yml"])
    if done.returncode:
        sys.exit(done.returncode)
    subprocess.run(
        [GREETLAB, "play", "--no-browser", "--out", site / "play.html"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    print(site / "index.html")


def write(path: Path, text: str) -> None:
    """A file, and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def linked(text: str, source: Path) -> str:
    """Its links as they are here: a notebook is a page; what is no page is a name in the tree."""

    def here(link: re.Match[str]) -> str:
        text, target = link["text"], link["target"]
        if "://" in target or target.startswith("#"):
            return link[0]
        path = (source.parent / target.partition("#")[0]).resolve()
        inside = path.relative_to(ROOT).as_posix()
        if inside == "docs/site/designs.md":
            return f"[{text}](designs.md)"
        if path.suffix == ".ipynb":
            return f"[{text}]({target.replace('.ipynb', '.md')})"
        if path.suffix == ".png" or inside in (
            *PAGES.values(),
            *(f"labs/{n}/README.md" for n in LABS),
        ):
            up = "../" * len(source.relative_to(ROOT).parts[:-1])
            return f"[{text}]({up}index.md)" if inside == "README.md" else link[0]
        return f"{text} (`{inside}`)"

    return re.sub(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)", here, text)


def notebook(name: str, pictures: Path) -> str:
    """A notebook with its outputs, as a page like the others: found by the search, and dark where
    the reader's system is.

    pictures: the folder that they are written into; it has the page's name.
    """
    parts = []
    read = nbformat.read(ROOT / "notebooks" / "gallery" / f"{name}.ipynb", as_version=4)
    for cell in read.cells:
        if cell.cell_type == "markdown":
            # One notebook leads to another.
            parts.append(re.sub(r"\((\d\d_\w+)\.ipynb", r"(\1.md", cell.source))
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if picture := data.get("image/png"):
                pictures.mkdir(parents=True, exist_ok=True)
                made = pictures / f"{len(parts)}.png"
                made.write_bytes(base64.b64decode(picture))
                seen = output.metadata.get("image/png", {})
                words = html.escape(" ".join(seen.get("alt", data["text/plain"]).split()))
                source = f"{pictures.name}/{made.name}"
                parts.append(f'<img alt="{words}" src="{source}" width="{seen.get("width", "")}">')
            elif "text/html" in data:
                parts.append(data["text/html"])
            else:
                parts.append(
                    f"```text\n{output.get('text', data.get('text/plain', '')).rstrip()}\n```"
                )
    return "\n\n".join(parts) + "\n"


def glossary() -> str:
    """The one that opens the core's seam, term by term."""
    lines = (ROOT / "cpp" / "lb" / "policy.h").read_text().partition("#pragma once")[0].splitlines()
    told = ["# Glossary", "", "It opens the core's seam, `cpp/lb/policy.h`.", ""]
    for line in (line.removeprefix("//").removeprefix(" ") for line in lines):
        if entry := re.fullmatch(r"  (\S.*?)  +(\S.*)", line):
            told += ["", f"**{entry[1]}**", f":   {entry[2]}"]
        else:
            told.append(line)  # what goes on from the line before, or stands between
    return "\n".join(told) + "\n"


def designs() -> str:
    """Which to take, with the table of a run on this machine, in the simulator."""
    ran = subprocess.run(
        [GREETLAB, "compare", "--in", "sim"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    text = Path(__file__).with_name("designs.md").read_text()
    return text.replace("{{ compare }}", f"```text\n{ran.stdout.strip()}\n```")


def api(docs: Path) -> None:
    """A page of all that `import greetlab` offers, from its docstrings; facts are only names."""
    facts = [name for name in greetlab.__all__ if isinstance(getattr(greetlab, name), str)]
    others = [name for name in greetlab.__all__ if name not in facts and name != "POLICIES"]
    entries = "\n".join(f"::: {place(getattr(greetlab, name), name)}\n" for name in others)
    kinds = ", ".join(f"`{name}`" for name in facts)
    write(
        docs / "api.md", f"# The Python API\n\n{entries}\n## Facts\n\nKinds of events: {kinds}.\n"
    )


def place(thing: Any, name: str) -> str:
    """Where it is written: what is only handed on has no docstring there."""
    module = getattr(thing, "__module__", None)
    return (
        f"{module}.{thing.__name__}" if module else getattr(thing, "__name__", f"greetlab.{name}")
    )


def navigation() -> str:
    """The table of contents."""
    title = {path: heading(WORK / "docs" / path) for path in PAGES}
    lines = ["  - Start: index.md", "  - Playground: play.html", "  - Which design?: designs.md"]
    lines.append("  - Notebooks:")
    lines += [f"    - {title_of(name)}: notebooks/gallery/{name}.md" for name in NOTEBOOKS]
    lines.append("  - Labs:")
    lines.append(f"    - {title['labs/README.md']}: labs/README.md")
    lines += [f"    - {heading(WORK / 'docs/labs' / lab / 'README.md')}: labs/{lab}/README.md"
              for lab in LABS]  # fmt: skip
    lines += ["  - Reference:", f"    - {title['docs/python.md']}: docs/python.md"]
    lines += ["    - The Python API: api.md", "    - Glossary: glossary.md"]
    last = ("docs/commands.md", "docs/limits.md", "k8s/README.md", "cpp/README.md",
            "bench/README.md", "CONTRIBUTING.md")  # fmt: skip
    lines += [f"    - {title[page]}: {page}" for page in last]
    return "\n".join(lines) + "\n"


def title_of(name: str) -> str:
    """A notebook's, which is its first line."""
    cells = nbformat.read(ROOT / "notebooks" / "gallery" / f"{name}.ipynb", as_version=4)
    return '"' + cells.cells[0].source.splitlines()[0].removeprefix("# ").replace('"', "'") + '"'


def heading(path: Path) -> str:
    """The first one of a page, as YAML takes it."""
    found = next(line for line in path.read_text().splitlines() if line.startswith("# "))
    return '"' + found.removeprefix("# ").replace('"', "'") + '"'


if __name__ == "__main__":
    main()
