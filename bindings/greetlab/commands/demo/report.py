"""The demo as one page: opens by double click, needs no network and no server."""

from __future__ import annotations

import base64
import html

from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE
from greetlab.commands.demo.story import COST_REQUESTS, REQUESTS, Story
from greetlab.dns.lookup import nslookup
from greetlab.text import markup
from greetlab.views import plot
from greetlab.views.play.scenes import scene
from greetlab.views.plot import Picture
from greetlab.views.plot.style import DARK
from greetlab.views.widget import Flow

TITLES = (f"{CLUSTER_IP_SERVICE}, pick_first", f"{HEADLESS_SERVICE}, round_robin")


def report(story: Story, requests: Picture) -> str:
    """The page's HTML.

    story: one that was told to its end. requests: the picture of its runs.
    """
    sticky, fair = story.traces["sticky"], story.traces["fair"]
    lanes = plot.lanes(sticky, fair, titles=TITLES, title="Requests stay on their connections")
    latency = plot.latency(
        {cost.mode: cost.calls for cost in story.costs},
        title=f"What a request takes, {COST_REQUESTS:,} of each, one at a time",
    )
    parts = [
        "<h1>Which pod takes your gRPC requests?</h1>",
        f"<p>{len(story.pods)} pods behind two Services, {REQUESTS} requests each, on real "
        "processes and sockets of one machine. Everything below was measured in one run of "
        "<code>greetlab demo</code>.</p>",
        "<h2>See it happen</h2>",
        f"<p>{_MOVING}</p>",
        *(f"<p><b>Watch for</b> {markup(scene(title).watch)}</p>" for title in _SCENES),
        _frame(Flow(sticky, fair, titles=TITLES).to_html()),
        "<h3>Why it happened</h3>",
        *(f"<p>{markup(scene(title).because)}</p>" for title in _SCENES),
        "<h2>What DNS says</h2>",
        "<div class='pair'>",
        *(
            f"<pre>$ nslookup {markup(name)}\n{_lines(nslookup(answer).expandtabs())}</pre>"
            for name, answer in story.lookups.items()
        ),
        "</div>",
        "<h2>DNS, connections, requests</h2>",
        _image(lanes),
        "<h2>The problem and the cure</h2>",
        _image(requests),
        "<h2>What it costs</h2>",
        _image(latency),
        _costs(story),
        "<h2>Did the story hold?</h2>",
        "<ul>",
        *(
            f"<li class='{'held' if check.held else 'broken'}'>{markup(check.claim)}</li>"
            for check in story.checks
        ),
        "</ul>",
    ]
    return _PAGE.format(style=_STYLE, body="\n".join(parts))


_SCENES = ("One connection, one pod", "Headless, and round_robin")
"""Of the playground: what the two traces show is said there, and once."""

_MOVING = (
    "First, the ClusterIP with gRPC's default policy: DNS has one address, so there is one "
    "connection, and every request goes down it. Then the headless Service with round_robin: an "
    "address and a connection for each pod, and the requests take turns. The button plays "
    "it; after a click into it Space does, too, and the arrows step; a click on a request or a "
    "connection tells why."
)


def _lines(text: str) -> str:
    return "\n".join(map(markup, text.split("\n")))


def _image(picture: Picture) -> str:
    data = base64.b64encode(picture.png()).decode()
    return f'<img alt="{markup(picture.alt)}" src="data:image/png;base64,{data}">'


def _frame(document: str) -> str:
    """A whole page within the page, so that neither's style is the other's."""
    return f'<iframe title="The animated request flow" srcdoc="{html.escape(document)}"></iframe>'


def _costs(story: Story) -> str:
    rows = "".join(
        f"<tr><td>{markup(cost.mode)}</td><td>{cost.opened_per_1000:,.0f}</td>"
        f"<td>{cost.calls.percentile(50) * 1e3:.2f} ms</td>"
        f"<td>{cost.calls.percentile(99) * 1e3:.2f} ms</td><td>{len(cost.calls.pods)}</td></tr>"
        for cost in story.costs
    )
    return (
        "<table><thead><tr><th>connections</th><th>opened / 1,000</th><th>p50</th><th>p99</th>"
        f"<th>pods</th></tr></thead><tbody>{rows}</tbody></table>"
    )


_STYLE = """
:root { color-scheme: light dark; --ink: #222; --page: #fff; --box: #f6f6f6; --edge: #ddd;
        --good: #00734f; --bad: #b00020; }
body { font: 17px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
       margin: 2.5rem auto; max-width: 1280px; padding: 0 clamp(.75rem, 3vw, 1.5rem); }
p, ul { max-width: 46rem; }
h1 { font-size: 2rem; } h2 { margin-top: 2.5rem; }
img { max-width: 100%; }
iframe { width: 100%; height: 600px; border: 1px solid var(--edge); border-radius: 12px; }
pre { background: var(--box); border-radius: 8px; padding: 1rem; overflow: auto; }
.pair { display: grid; gap: 1rem;
        grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block;
        overflow: auto; }
th, td { padding: .25rem 1.5rem .25rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; }
li.held::marker { content: "\\2713  "; color: var(--good); }
li.broken::marker { content: "\\2717  "; color: var(--bad); }
@media (max-width: 900px) { iframe { height: 1120px; } }  /* its panels are one under the other */
@media (max-width: 600px) { th, td { padding-right: .6rem; } h1 { font-size: 1.6rem; } }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf3; --page: #12161c; --box: #1a2028; --edge: #38424e; --good: #5fcf9c;
          --bad: #ff6b7a; }
  img { filter: DARK; }
}
""".replace("DARK", DARK)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>greetlab: which pod takes your gRPC requests?</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
