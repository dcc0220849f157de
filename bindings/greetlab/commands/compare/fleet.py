"""The same designs at the size of a fleet, in the simulator: luck, and connections by N times M."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from greetlab.clusters.cluster import Cluster
from greetlab.commands.compare.designs import DESIGNS, FEW_EACH, Design
from greetlab.commands.compare.score import COOLDOWN

PODS, MORE = 40, 60
CALLS = 10
"""Of each client, before the scale-up, and as many after it."""
EVERY = "exponential 500ms"


@dataclass(frozen=True)
class FleetScore:
    """What a design made of many clients.

    failed: calls, of `calls`. unfairness: the busiest pod's calls as a multiple of its fair share,
    before the scale-up. idle: pods that nobody called by then. new_pods: of those added, how many
    were called after it. connections: made.
    """

    design: str
    kind: str
    clients: int
    calls: int
    failed: int
    unfairness: float
    idle: int
    new_pods: int
    connections: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"world": "sim", **asdict(self)}


def fleet(
    clients: int, seed: int = 1, designs: Sequence[Design] = (*DESIGNS, FEW_EACH)
) -> Iterator[FleetScore]:
    """Each design that the simulator has, and that keeps its connections, with so many clients."""
    for design in designs:
        if "sim" in design.worlds and design.target is not None and not design.per_call:
            yield _one(design, clients, seed)


def _one(design: Design, clients: int, seed: int) -> FleetScore:
    assert design.target is not None
    cluster = Cluster.sim(pods=PODS, seed=seed, service_time="exponential 2ms", **design.cluster)
    options = {"cooldown": COOLDOWN, **design.channel}
    channels = [cluster.channel(design.target, **options) for _ in range(clients)]

    def shares() -> Counter[str]:
        loads = [(one, one.start(CALLS, every=EVERY, timeout=1.0)) for one in channels]
        while not all(load.done for _, load in loads):
            cluster.run(1.0)
        called: Counter[str] = Counter()
        for channel, load in loads:
            called.update(channel.calls(load).by_pod)
        return called

    before = shares()
    cluster.scale(MORE)
    after = shares()
    calls, good = 2 * clients * CALLS, before.total() + after.total()
    new = [f"pod-{number + 1}" for number in range(PODS, MORE)]
    return FleetScore(
        design=design.name.strip(),
        kind=design.kind,
        clients=clients,
        calls=calls,
        failed=calls - good,
        unfairness=max(before.values(), default=0) * PODS / max(before.total(), 1),
        idle=PODS - sum(f"pod-{number + 1}" in before for number in range(PODS)),
        new_pods=sum(pod in after for pod in new),
        connections=len(cluster.trace.of("Connected")),
    )
