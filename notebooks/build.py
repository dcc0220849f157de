"""Makes the notebooks from their sources: `./run notebooks --build`.

A source is a script in jupytext's percent format, NN_name.py. From it come

    NN_name.ipynb           what the learner gets: no outputs, stable ids
    gallery/NN_name.ipynb   the same, executed, to be read on a code host

Its first cell gets, folded, those of words.md that it uses.

In the gallery somebody has made a guess: the cell marker `# %% gallery="guess = ..."` has what
stands there instead of the cell's own text.
"""

from __future__ import annotations

import argparse
import base64
import copy
import re
import sys
from io import BytesIO
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

HERE = Path(__file__).resolve().parent
GALLERY = HERE / "gallery"
WORDS = HERE / "words.md"
STILL = ("image/png", "text/html", "text/plain")
"""What a code host shows; a widget's own view is not kept."""


def sources() -> list[Path]:
    """The notebooks' sources, in their order."""
    return sorted(HERE.glob("[0-9][0-9]_*.py"))


def glossary() -> dict[tuple[str, ...], str]:
    """The words of words.md, those of one row together, and what they are."""
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", WORDS.read_text(), re.MULTILINE)
    return {tuple(words.split(", ")): meaning for words, meaning in rows[1:]}


def uses(text: str, word: str) -> bool:
    """Whether it stands there as a word, one or several."""
    any_case = re.IGNORECASE if word.islower() else 0
    return re.search(rf"(?<!\w){re.escape(word)}s?(?!\w)", text, any_case) is not None


def spoken(notebook: NotebookNode) -> list[tuple[str, ...]]:
    """The glossary's words that it uses, and those that say what these are."""
    words = glossary()
    text = "\n".join(cell.source for cell in notebook.cells)
    used: list[tuple[str, ...]] = []
    while more := [
        row for row in words if row not in used and any(uses(text, word) for word in row)
    ]:
        used += more
        text = "\n".join(words[row] for row in more)
    return [row for row in words if row in used]


def words_of(notebook: NotebookNode) -> str:
    """What the notebook's words mean, as a table to unfold, for whoever has not read the others."""
    meaning = glossary()
    rows = [f"| {', '.join(row)} | {meaning[row]} |" for row in spoken(notebook)]
    return "\n".join(
        [
            '<details markdown="1"><summary>Words, for whoever begins here</summary>\n',
            "| word | what it is |\n|---|---|",
            *rows,
            "\n</details>",
        ]
    )


def made(source: Path) -> NotebookNode:
    """The notebook of a source, without outputs, and with ids that stay."""
    notebook = jupytext.read(source)
    title, *question = notebook.cells[0].source.split("\n\n## ")
    notebook.cells[0].source = "\n\n## ".join([f"{title}\n\n{words_of(notebook)}", *question])
    for place, cell in enumerate(notebook.cells, start=1):
        cell.id = f"{source.stem}-{place:02}"
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def for_learners(source: Path) -> NotebookNode:
    """The notebook without the gallery's guesses."""
    notebook = made(source)
    for cell in notebook.cells:
        cell.metadata.pop("gallery", None)
    return notebook


def for_gallery(source: Path) -> NotebookNode:
    """The notebook with somebody's guesses in it."""
    notebook = made(source)
    for cell in notebook.cells:
        cell.source = cell.metadata.pop("gallery", cell.source)
    return notebook


def executed(notebook: NotebookNode) -> NotebookNode:
    """A copy that has run from top to bottom; the first error ends it."""
    notebook = copy.deepcopy(notebook)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return notebook


def to_read(notebook: NotebookNode) -> NotebookNode:
    """An executed notebook with only what a code host shows."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = {kind: output.data[kind] for kind in STILL if kind in output.data}
                if "image/png" in output.data:
                    output.data.pop("text/html", None)  # the same image again
                    output.data["image/png"] = smaller(output.data["image/png"])
    return notebook


def smaller(png: str) -> str:
    """The same image in 255 colours, of which a figure has enough."""
    file = BytesIO()
    with Image.open(BytesIO(base64.b64decode(png))) as image:
        few = image.convert("RGB").quantize(255, dither=Image.Dither.NONE)
        few.save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def text(notebook: NotebookNode) -> str:
    """The notebook as a file."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def main() -> None:
    """Writes the notebooks, and with --gallery the executed ones."""
    parser = argparse.ArgumentParser(description="Makes the notebooks from their sources.")
    parser.add_argument("--gallery", action="store_true", help="execute them for the gallery, too")
    parser.add_argument("names", nargs="*", help='which, such as "01_lookup"; all without it')
    wanted = parser.parse_args()
    strange = set(wanted.names) - {source.stem for source in sources()}
    if strange:
        sys.exit(f"no source {', '.join(sorted(strange))} in {HERE}")
    for source in sources():
        if wanted.names and source.stem not in wanted.names:
            continue
        source.with_suffix(".ipynb").write_text(text(for_learners(source)))
        if wanted.gallery:
            GALLERY.mkdir(exist_ok=True)
            notebook = to_read(executed(for_gallery(source)))
            (GALLERY / f"{source.stem}.ipynb").write_text(text(notebook))
        print(source.stem)


if __name__ == "__main__":
    main()
