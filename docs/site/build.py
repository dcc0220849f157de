"""The site: README, playground, gallery, labs, API reference, bench and glossary, static.

    ./run site [FOLDER]      # build/site, if no other is given

MkDocs and mkdocstrings make it of what stands in the tree: no page is written twice. A link that
leads nowhere fails the build.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter

import greetlab

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "site-sources"
PAGES = {
    "index.md": "README.md",
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
  features: [navigation.sections, toc.follow, content.code.copy]
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
          options: {{show_source: false, show_root_heading: true, show_bases: false,
                    members_order: source, docstring_style: google, allow_inspection: false}}
markdown_extensions: [admonition, md_in_html, tables, toc, pymdownx.superfences]
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
    for name in NOTEBOOKS:
        write(docs / "notebooks" / "gallery" / f"{name}.html", notebook(name))
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
        if path.suffix == ".ipynb":
            return f"[{text}]({target.replace('.ipynb', '.html')})"
        if path.suffix == ".png" or inside in (
            *PAGES.values(),
            *(f"labs/{n}/README.md" for n in LABS),
        ):
            up = "../" * len(source.relative_to(ROOT).parts[:-1])
            return f"[{text}]({up}index.md)" if inside == "README.md" else link[0]
        return f"{text} (`{inside}`)"

    return re.sub(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)", here, text)


def notebook(name: str) -> str:
    """A notebook with its outputs, as one page."""
    cells = nbformat.read(ROOT / "notebooks" / "gallery" / f"{name}.ipynb", as_version=4)
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(cells)
    # One notebook leads to another.
    return re.sub(r'href="(\d\d_\w+)\.ipynb"', r'href="\1.html"', str(page))


def glossary() -> str:
    """The one that opens the core's seam."""
    lines = (ROOT / "cpp" / "lb" / "policy.h").read_text().partition("#pragma once")[0].splitlines()
    told = "\n".join(line.removeprefix("//").removeprefix(" ") for line in lines)
    return (
        f"# Glossary\n\nAs it opens `cpp/lb/policy.h`, the core's seam.\n\n```text\n{told}\n```\n"
    )


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
    lines += [f"    - {title_of(name)}: notebooks/gallery/{name}.html" for name in NOTEBOOKS]
    lines.append("  - Labs:")
    lines.append(f"    - {title['labs/README.md']}: labs/README.md")
    lines += [f"    - {heading(WORK / 'docs/labs' / lab / 'README.md')}: labs/{lab}/README.md"
              for lab in LABS]  # fmt: skip
    lines += ["  - Reference:", "    - The Python API: api.md", "    - Glossary: glossary.md"]
    last = ("k8s/README.md", "cpp/README.md", "bench/README.md", "CONTRIBUTING.md")
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
