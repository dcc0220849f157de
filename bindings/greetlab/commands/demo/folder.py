"""The run folder: what the demo measured, for whoever wants to look again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from greetlab.commands.demo.story import Story
from greetlab.dns.lookup import nslookup


def write_folder(story: Story, folder: Path) -> None:
    """Writes the story into `folder`, which exists.

    summary.json: every figure, and whether the story held.
    calls.csv: a row for each call of each run.
    lookups.txt: the two lookups as nslookup prints them.
    requests.png: which pod handled each request.
    report.html: all of it on one page, with the animated flow; opens by double click, offline.
    trace-sticky.jsonl, trace-fair.jsonl: what happened in the two clients, for gl.Trace.load.

    Raises OSError if it cannot write there.
    """
    from greetlab.commands.demo.report import report
    from greetlab.views import plot

    (folder / "summary.json").write_text(json.dumps(story.summary(), indent=2) + "\n")
    (folder / "lookups.txt").write_text(
        "\n".join(
            f"$ nslookup {name}\n{nslookup(answer)}" for name, answer in story.lookups.items()
        )
    )
    with (folder / "calls.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        columns = "run request start_ns latency_ns status pod connection message"
        rows.writerow(columns.split(" "))
        for name, calls in story.runs.items():
            for number, call in enumerate(calls, start=1):
                told = (call.start_ns, call.latency_ns, call.status, call.pod, call.connection)
                rows.writerow((name, number, *told, call.message))
    assert story.cold is not None
    assert story.fair is not None
    runs = (*story.sticky.values(), story.cold, story.fair)
    title = "60 requests: one pod takes them all, until the client sees every pod"
    requests = plot.requests(*runs, pods=story.pods, title=title)
    (folder / "requests.png").write_bytes(requests.png())
    for name, trace in story.traces.items():
        trace.save(folder / f"trace-{name}.jsonl")
    (folder / "report.html").write_text(report(story, requests), encoding="utf-8")
