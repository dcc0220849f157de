"""`greetlab policies`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json
from greetlab.views.words import Text

if TYPE_CHECKING:
    from greetlab.commands.slow_pod import Made

_MANY = 1500


def policies(
    calls: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many each gets.")] = _MANY,
    worlds: Annotated[
        str, typer.Option("--in", help="sim, local, or both with a comma between.")
    ] = "sim,local",
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.")] = 1,
    as_json: Json = False,
) -> None:
    """Five pods, one of them slow: what each load-balancing policy makes of it.

    Each pod serves two calls at a time, 20 ms each on average, one pod 80 ms; some 297 calls a
    second come, 70 % of what all pods can do together. The same in the simulator, and on real
    connections to real processes: that takes five seconds a policy. Exit status 0, or 2 if it could
    not be run.
    """
    from greetlab.commands import slow_pod

    with failing_in_words("policies"):
        wanted = [word.strip() for word in worlds.split(",")]
        for world in wanted:
            if world not in slow_pod.WORLDS:
                raise ValueError(f"--in {worlds!r}: there is {' and '.join(slow_pod.WORLDS)}")
        rows = [made for world in wanted for made in slow_pod.one_slow_pod(world, calls, seed)]
    if as_json:
        print_json([made.as_dict() for made in rows])
    else:
        _show(rows, wanted, calls)


def _show(rows: list[Made], worlds: list[str], calls: int) -> None:
    from greetlab.commands import slow_pod

    console = Terminal()
    for world in worlds:
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column(world.upper(), no_wrap=True, min_width=max(map(len, slow_pod.POLICIES)))
        for column in ("p50", "p99", "slow", "failed"):
            table.add_column(column, justify="right", no_wrap=True)
        for made in (made for made in rows if made.world == world):
            table.add_row(
                Text(made.policy),
                Text(f"{made.p50 * 1e3:.0f}"),
                Text(f"{made.p99 * 1e3:.0f}"),
                Text(f"{made.share:.0%}"),
                Text(f"{made.failed}", "red" if made.failed else ""),
            )
        console.print()
        console.print(table)
    console.print()
    note = (
        "p50 and p99 in milliseconds; slow: the slow pod's share of the calls that were answered; "
        "failed: refused by a full queue, or out of time. "
        f"{slow_pod.PODS} pods take {slow_pod.CAPACITY} calls at a time, {slow_pod.QUEUE} wait; "
        f"{slow_pod.SERVICE_TIME * 1e3:g} ms a call, pod-{slow_pod.PODS} {slow_pod.SLOWER} times "
        f"as long; {calls} calls each, {slow_pod.RATE:.0f} a second at random moments."
    )
    console.print(Text(note, "dim"))
