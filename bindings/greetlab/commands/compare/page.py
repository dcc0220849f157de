"""The scoreboard as one page: opens by double click, needs no network and no server."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from greetlab.text import markup
from greetlab.views import plot
from greetlab.views.measures import Measure, Row, measures, shown
from greetlab.views.plot.scoreboard import KINDS
from greetlab.views.plot.style import DARK, UNKNOWN


def page(rows: Sequence[Row], note: str, *, fleet: Sequence[Row] = (), fleet_note: str = "") -> str:
    """The page's HTML: for each world the plot, and the table with every number; then the fleet.

    rows, fleet: as `greetlab compare --json` has them. note, fleet_note: what the day was, and what
        the fleet did, and the words mean.
    """
    body = ["<h1>Which design balances your gRPC calls?</h1>", f"<p>{markup(note)}</p>"]
    for world in dict.fromkeys(row["world"] for row in rows):
        body += _section(world.upper(), [row for row in rows if row["world"] == world])
    if fleet:
        one = fleet[0]
        body += _section(f"{one['world'].upper()}, {one['clients']:,} clients", fleet, fleet_note)
    return _PAGE.replace("STYLE", _STYLE.replace("DARK", DARK), 1).replace(
        "BODY", "\n".join(body), 1
    )


def _section(head: str, rows: Sequence[Row], note: str = "") -> list[str]:
    picture = plot.scoreboard(rows)
    data = base64.b64encode(picture.png()).decode()
    return [
        f"<h2>{markup(head)}</h2>",
        *([f"<p>{markup(note)}</p>"] if note else []),
        f'<img alt="{markup(picture.alt)}" src="data:image/png;base64,{data}">',
        _table(rows),
    ]


def _table(rows: Sequence[Row]) -> str:
    columns = shown(measures(rows), rows)
    heads = "".join(f"<th title='{markup(one.says)}'>{markup(_head(one))}</th>" for one in columns)
    lines = "".join(
        f"<tr><th scope='row'><i style='background:{KINDS.get(row['kind'], UNKNOWN.color)}'></i>"
        f"{markup(row['design'])}<small>{markup(', '.join(row.get('parts', ())))}</small></th>"
        + "".join(_cell(one, row) for one in columns)
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr><th>design</th>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(measure: Measure, row: Row) -> str:
    bad = " class='bad'" if measure.bad(row) else ""
    return f"<td data-head='{markup(_head(measure))}'{bad}>{markup(measure.text(row))}</td>"


def _head(measure: Measure) -> str:
    return f"{measure.head} {measure.unit}".strip()


_STYLE = """
:root { color-scheme: light dark; --ink: #222; --quiet: #666; --page: #fff; --edge: #ddd;
        --bad: #b00020; }
body { font: 17px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
       margin: 2.5rem auto; max-width: 1280px; padding: 0 clamp(.75rem, 3vw, 1.5rem); }
p { max-width: 46rem; }
img { max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .35rem .9rem .35rem 0; text-align: right; border-bottom: 1px solid var(--edge); }
th:first-child { text-align: left; font-weight: normal; }
small { display: block; color: var(--quiet); }
i { display: inline-block; width: .7em; height: .7em; margin-right: .5em; }
.bad { color: var(--bad); font-weight: bold; }
@media (max-width: 800px) {  /* a card for each design; the picture would be too small to read */
  img, thead { display: none; }
  tr { display: grid; grid-template-columns: repeat(3, 1fr); padding: .75rem 0;
       border-bottom: 1px solid var(--edge); }
  th:first-child { grid-column: 1 / -1; }
  th, td { border: 0; text-align: left; padding: .2rem 0; }
  td::before { content: attr(data-head); display: block; color: var(--quiet); font-size: .8em;
               font-weight: normal; }
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf3; --quiet: #9aa7b4; --page: #12161c; --edge: #38424e; --bad: #ff6b7a; }
  img, i { filter: DARK; }  /* a design has one colour in both */
}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>greetlab: which design balances your gRPC calls?</title>
<style>STYLE</style>
</head>
<body>
BODY
</body>
</html>
"""
