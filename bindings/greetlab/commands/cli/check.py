"""`greetlab check`."""

from __future__ import annotations

from typing import Annotated

import typer

from greetlab.commands.cli.shared import ContextOption, Json, Terminal, failing_in_words, print_json

EXIT = {"pass": 0, "fail": 1, "unknown": 3}


def check(
    number: Annotated[int, typer.Argument(metavar="N", help="The lab's number.")],
    context: ContextOption = None,
    as_json: Json = False,
) -> None:
    """Look at what you made for a lab in your cluster, and say what is wrong with it.

    It looks through kubectl, changes nothing, and never says how to mend it. Exit status 0 if it
    passes, 1 if it fails, 3 if it could not look, 2 if it was called wrongly.
    """
    from greetlab.lessons.labs import find, judge

    with failing_in_words("check"):
        found = judge(number, context)
    verdict = found.verdict
    if as_json:
        document = {
            "lab": number,
            "name": find(number).name,
            "status": verdict.status,
            "sentence": verdict.sentence,
            "right": found.right,
        }
        print_json(document)
    else:
        console = Terminal(soft_wrap=True)
        colors = {"pass": "green", "fail": "red", "unknown": "yellow"}
        for sentence in found.right:
            console.print(f"  ✔ {sentence}", style="dim")
        console.print(str(verdict), style=colors[verdict.status])
    raise typer.Exit(EXIT[verdict.status])
