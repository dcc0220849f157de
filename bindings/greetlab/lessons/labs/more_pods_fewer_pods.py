"""Lab 2: pods that come and go, and a client that nobody tells."""

from __future__ import annotations

import re

from greetlab.lessons.labs import sharing
from greetlab.lessons.labs.flags import flag
from greetlab.lessons.labs.lab import Lab, Wrong
from greetlab.lessons.labs.seen import Seen

PODS = 5
LONGEST = 60.0
"""Seconds. An older connection than that is no cure that a learner can wait for."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_FLAG = "--max-connection-age"


def _age(seen: Seen) -> str:
    """The servers end old connections: what makes a client ask again (gRFC A9)."""
    given = flag(sharing.deployment_of(seen, sharing.SERVER), _FLAG)
    if given is None:
        raise Wrong(
            f"each pod answers now, because the gateway has looked since the last came: the "
            f"connections to {sharing.SERVER} have no end, and of the next pod nobody will tell it."
        )
    found = re.fullmatch(r"([0-9.]+)(ms|s|m|h)", given)
    if found is None:
        raise Wrong(f"the servers' {_FLAG} is {given!r}, which is no time.")
    if float(found[1]) * _SECONDS[found[2]] > LONGEST:
        raise Wrong(f"the servers' connections may grow {given} old: so long a new pod may idle.")
    return f"the servers end a connection after about {given}"


LAB = Lab(
    number=2,
    name="more_pods_fewer_pods",
    done="every pod answers, and the next one will be found, too.",
    steps=(
        sharing.at_least(PODS),
        sharing.dialled,
        sharing.endpoints,
        sharing.headless,
        sharing.port,
        sharing.policy,
        sharing.gateway_ready,
        sharing.shared,
        _age,
    ),
)
