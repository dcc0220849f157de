"""The notebooks: they run from top to bottom, and what is checked in is what the sources make."""

import base64
import itertools
import re
from datetime import datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import nbformat
import pytest

import greetlab as gl
from greetlab.lessons.exercises import all_exercises

FOLDER = Path(__file__).parent.parent / "notebooks"
CELL_SECONDS, NOTEBOOK_SECONDS = 5, 60
CELLS, BEATS = 25, 6
IMAGE_BYTES, GALLERY_BYTES = 150_000, 1_500_000
OUTPUT_BYTES = 900_000  # a picture is in an output twice: as a PNG, and as HTML with its words


def load_build():
    spec = spec_from_file_location("notebooks_build", FOLDER / "build.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_build()
each = pytest.mark.parametrize("source", build.sources(), ids=lambda source: source.stem)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def data(notebook):
    return [output.data for cell in code(notebook) for output in cell.outputs if "data" in output]


def gallery(source):
    return nbformat.read(build.GALLERY / f"{source.stem}.ipynb", as_version=4)


def exercises(source):
    return [name for name in all_exercises() if name.startswith(f"{source.stem[:2]}.")]


def test_each_has_its_exercises():
    numbers = {name[:2] for name in all_exercises()}
    assert [source.stem[:2] for source in build.sources()] == sorted(numbers)


@each
def test_the_notebook_is_what_its_source_makes(source):
    there = source.with_suffix(".ipynb").read_text()
    assert there == build.text(build.for_learners(source)), "./run notebooks --build"
    assert "gallery" not in there
    assert all(not cell.outputs for cell in code(build.for_learners(source)))


@each
def test_its_first_cell_says_what_its_words_mean(source):
    notebook = build.for_learners(source)
    text = "\n".join(cell.source for cell in notebook.cells)
    table = re.search(r"<details.*</details>", notebook.cells[0].source, re.DOTALL)[0]
    assert "## " not in notebook.cells[0].source.partition(table)[0]  # before the first question
    said = re.findall(r"^\| (.+?) \| .+ \|$", table, re.MULTILINE)[1:]
    for words in build.glossary():
        used = any(build.uses(text, word) for word in words)
        assert ", ".join(words) in said or not used, words
    assert set(said) <= {", ".join(words) for words in build.glossary()}
    done = gallery(source)
    shown = " ".join([*map(printed, code(done)), *(one["text/plain"] for one in data(done))])
    for state in ("TRANSIENT_FAILURE", "CONNECTING"):  # those that nobody can guess
        assert not build.uses(shown, state) or state in table, state
    if "article" in text:
        assert "https://github.com/HiteshRepo/grpc-loadbalancing" in text


@pytest.mark.parametrize(
    ("text", "word", "there"),
    [("Two endpoints", "endpoint", True), ("an Endpoint", "endpoint", True),
     ("is READY", "READY", True), ("is ready", "READY", False),
     ("three gRFCs", "gRFC", True), ("MAX_CONNECTION_AGE_GRACE", "MAX_CONNECTION_AGE", False)],
)  # fmt: skip
def test_a_word_is_found_as_a_word(text, word, there):
    assert build.uses(text, word) is there


@each
def test_it_is_short(source):
    notebook = build.for_learners(source)
    assert len(notebook.cells) <= CELLS
    guesses = [cell for cell in code(notebook) if "gl.predict()" in cell.source]
    assert 3 <= len(guesses) <= BEATS
    assert any("## Sandbox" in cell.source for cell in notebook.cells[-3:])


@each
def test_it_asks_every_exercise_of_its_own(source):
    text = "\n".join(cell.source for cell in code(build.for_learners(source)))
    for name in exercises(source):
        assert f'gl.check("{name}"' in text


def hints(notebook):
    """The guesses that the learner's cells give as examples of how one is typed."""
    return [
        found
        for cell in code(notebook)
        for found in re.findall(r"such as (gl\.predict.*)", cell.source)
    ]


@each
def test_every_question_has_its_guess_and_a_hint_that_can_be_typed(source):
    notebook = build.for_learners(source)
    guesses = [cell for cell in code(notebook) if "gl.predict()" in cell.source]
    text = " ".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    questions = re.findall(r"\*\*[^*]*\?\*\*", text)
    assert len(questions) == len(guesses) == len(hints(notebook))
    for hint in hints(notebook):
        assert gl_predict(hint).counts


def gl_predict(hint):
    return eval(hint, {"gl": gl})


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_exercises_of_notebook_1_can_be_solved_in_any_order(order, lookup_cells, capsys):
    cluster, cells = lookup_cells
    for number in order:
        exec(cells[number], {"gl": gl, "cluster": cluster})
        assert "PASS" in capsys.readouterr().out, cells[number]


SOLVED = {
    "01.three-addresses": 'answer = cluster.lookup("greetserver-headless")',
    "01.first-try": 'answer = cluster.lookup("greetserver-headless.default.svc.cluster.local.")',
    "01.pod-port": 'answer = cluster.lookup("_grpc._tcp.greetserver-headless", ["SRV"])',
    "01.nobody": "cluster.scale(0)",
}


@pytest.fixture(scope="module")
def lookup_cells():
    """The exercises as the notebook has them, each solved in its marked line."""
    notebook = build.for_learners(build.sources()[0])
    solved = []
    for cell in code(notebook):
        if "gl.check(" not in cell.source:
            continue
        setup, *parts = re.split(r"\n\n(?=#)", cell.source)
        for part in parts:
            name = re.search(r'gl\.check\("([^"]+)"', part)[1]
            line = re.sub(r".*# change this line", lambda _, name=name: SOLVED[name], part)
            solved.append(f"{setup}\n{line}")
    assert len(solved) == 4
    with gl.Cluster.local(pods=3, seed=1, service_port=8080) as cluster:
        yield cluster, solved


@each
@pytest.mark.timeout(3 * NOTEBOOK_SECONDS)
def test_it_runs_from_top_to_bottom_without_a_warning(source):
    notebook = build.for_learners(source)
    for cell in code(notebook):  # as somebody does who types the hints, each of which is wrong
        if hint := hints(nbformat.v4.new_notebook(cells=[cell])):
            cell.source = f"guess = {hint[0]}"
    strict = nbformat.v4.new_code_cell("import warnings\n\nwarnings.simplefilter('error')")
    notebook.cells.insert(0, strict)
    done = build.executed(notebook)
    took = [seconds(cell) for cell in code(done)]
    assert max(took) < CELL_SECONDS, took
    assert sum(took) < NOTEBOOK_SECONDS
    for cell in code(done):
        assert len(str(cell.outputs)) < OUTPUT_BYTES, cell.source
        assert not [output for output in cell.outputs if output.get("name") == "stderr"]
    shown = " ".join(str(one.get("text/plain")) for one in data(done))
    assert "Exactly" not in shown
    assert len(re.findall(r", and you|Your guess adds up", shown)) == len(
        hints(build.for_learners(source))
    )
    text = "".join(printed(cell) for cell in code(done))
    for name in exercises(source):
        assert f"FAIL    {name}: " in text  # as it is given, and not "unknown"


def seconds(cell):
    stamps = cell.metadata.execution
    busy, idle = (
        datetime.fromisoformat(stamps[name]) for name in ("iopub.status.busy", "iopub.status.idle")
    )
    return (idle - busy).total_seconds()


@each
def test_the_gallery_has_run_and_fits_on_a_page(source):
    assert (build.GALLERY / f"{source.stem}.ipynb").stat().st_size < GALLERY_BYTES
    notebook, made = gallery(source), build.for_gallery(source)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in made.cells]
    assert [cell.execution_count for cell in code(notebook)] == [
        number for number, _ in enumerate(code(notebook), start=1)
    ]
    assert not any("No guess yet" in str(shown) for shown in data(notebook))
    pictures = [shown for shown in data(notebook) if "image/png" in shown]
    assert len(pictures) >= 3
    for shown in pictures:
        assert len(base64.b64decode(shown["image/png"])) < IMAGE_BYTES
        assert len(shown["text/plain"]) > 40  # in words, for whoever cannot see it
        assert "<Figure" not in shown["text/plain"]
