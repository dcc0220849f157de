"""The demo in a terminal: enjoyable in a real one, plain text anywhere else."""

from __future__ import annotations

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table

from greetlab.channels.calls import Calls
from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE
from greetlab.commands.demo.story import COST_REQUESTS, Story
from greetlab.dns.lookup import nslookup
from greetlab.views.palette import pod_styles
from greetlab.views.play.scenes import Scene, scene
from greetlab.views.strip import strip
from greetlab.views.words import Text


class Screen:
    """Prints a story act by act, as each is done."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def title(self, cluster: str) -> None:
        """What is about to run."""
        self._console.print()
        self._console.print(Text("greetlab demo", "bold"), Text(cluster, "dim"))

    def act(self, name: str, story: Story) -> None:
        """Prints the act that `tell` has just done."""
        heading, body = getattr(self, f"_{name}")(story)
        self._console.print()
        self._console.print(Rule(Text(heading, "bold"), align="left", style="dim"))
        self._console.print(Padding(body, (1, 2, 0, 2)))

    def ending(self, story: Story, folder: str) -> None:
        """The checks, and where the files are."""
        self._console.print()
        self._console.print(Rule(Text("Did the story hold?", "bold"), align="left", style="dim"))
        marks = Table.grid(padding=(0, 1))
        for check in story.checks:
            mark = Text("yes", "green") if check.held else Text("NO", "bold red")
            marks.add_row(mark, check.claim)
        self._console.print(Padding(marks, (1, 2)))
        self._console.print(Text("  The data, and report.html to open: ") + Text(folder, "bold"))
        self._console.print()

    # Each act: its heading and what stands under it.

    def _lookups(self, story: Story) -> tuple[str, RenderableType]:
        answers = [
            Group(
                Text(f"$ nslookup {name}", "bold"),
                *map(Text, nslookup(lookup).expandtabs().split("\n")),
                Text(),
            )
            for name, lookup in story.lookups.items()
        ]
        return "1  Two Services, the same pods: what DNS says", Group(
            _watch(scene("round_robin changes nothing")),
            Columns(answers, padding=(0, 6)),  # side by side where the terminal is wide enough
            _explain(
                f"{CLUSTER_IP_SERVICE} is a ClusterIP: one virtual address, whatever is behind it. "
                f"{HEADLESS_SERVICE} is headless: the addresses of the pods themselves."
            ),
        )

    def _sticky(self, story: Story) -> tuple[str, RenderableType]:
        return "2  The problem: 60 requests to the ClusterIP", Group(
            *(self._strip(calls, story) for calls in story.sticky.values()),
            _explain(scene("One connection, one pod").because),
            _explain(scene("round_robin changes nothing").because),
        )

    def _fair(self, story: Story) -> tuple[str, RenderableType]:
        assert story.cold is not None
        assert story.fair is not None
        shown = scene("Headless, and round_robin")
        return "3  The cure: the headless Service and round_robin", Group(
            _watch(shown),
            self._strip(story.cold, story),
            self._strip(story.fair, story),
            _explain(
                f"{shown.because} Here that may be all of the first 60. The connections stay "
                "open: nothing is dialled again."
            ),
        )

    def _costs(self, story: Story) -> tuple[str, RenderableType]:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column("connections")
        for column in ("opened / 1,000", "p50", "p99", "pods"):
            table.add_column(column, justify="right")
        for cost in story.costs:
            table.add_row(
                cost.mode,
                f"{cost.opened_per_1000:,.0f}",
                f"{cost.calls.percentile(50) * 1e3:.2f} ms",
                f"{cost.calls.percentile(99) * 1e3:.2f} ms",
                str(len(cost.calls.pods)),
            )
        per_request, _, fair = story.costs
        ratio = per_request.calls.percentile(50) / fair.calls.percentile(50)
        return f"4  What the cure costs: {COST_REQUESTS:,} requests each, one at a time", Group(
            table,
            *(Text(error) for cost in story.costs for error in cost.calls.errors),
            Text(),
            _explain(
                "The article that this lab grew from says that client-side balancing gives up "
                "gRPC's long-lived connections. Measured: it keeps one open to each pod, and "
                f"multiplexes over each. A connection per request does give them up: its median "
                f"call, with its name lookup and its dial, took about {ratio:.0f} times as long "
                "here. (A thousand calls on a busy machine: take the p99 with a grain of salt.)"
            ),
        )

    def _oracle(self, story: Story) -> tuple[str, RenderableType]:
        assert story.fair is not None
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column("service, policy")
        for column in ("the lab's engine", "gRPC's engine"):
            table.add_column(column, justify="right")
        for name, theirs in story.oracle.items():
            ours = story.fair if name == "fair" else story.sticky[name]
            service = HEADLESS_SERVICE if name == "fair" else CLUSTER_IP_SERVICE
            policy = "round_robin" if name == "fair" else name
            table.add_row(f"{service}, {policy}", *(self._shares(c, story) for c in (ours, theirs)))
        return "5  Is it true? The same with gRPC's own engine", Group(
            table,
            Text(),
            _explain(
                "Everything above came from the lab's own channel, which shows its every step. "
                "gRPC's C++ library, with its own resolver, policies and connections, does the "
                "same. Which pod the ClusterIP gives a client is luck; that it is one is not."
            ),
        )

    @staticmethod
    def _shares(calls: Calls, story: Story) -> Text:
        """How many requests each pod got, in its colour."""
        styles = pod_styles(story.pods)
        text = Text()
        for pod in sorted(story.pods):
            text.append(f"  {styles[pod].sign} {calls.by_pod.get(pod, 0):>2}", styles[pod].color)
        return text

    @staticmethod
    def _strip(calls: Calls, story: Story) -> RenderableType:
        return Group(strip(calls, story.pods), Text())


def _watch(shown: Scene) -> RenderableType:
    return Group(Text("Watch for ", "bold") + Text(shown.watch), Text())


def _explain(text: str) -> RenderableType:
    return Text(text, "italic")
