"""Lab 1: from one pod that answers everything to three that take turns."""

from __future__ import annotations

from greetlab.lessons.labs import sharing
from greetlab.lessons.labs.lab import Lab

LAB = Lab(
    number=1,
    name="sticky_to_round_robin",
    done="every pod answers, in turn.",
    steps=(
        sharing.at_least(3),
        sharing.dialled,
        sharing.endpoints,
        sharing.headless,
        sharing.port,
        sharing.policy,
        sharing.gateway_ready,
        sharing.shared,
    ),
)
