"""The scoreboard: every way to balance gRPC's calls, on the same workload and the same bad day."""

from greetlab.commands.compare.designs import DESIGNS, Design
from greetlab.commands.compare.fleet import FleetScore
from greetlab.commands.compare.score import Score, run

__all__ = ["DESIGNS", "Design", "FleetScore", "Score", "run"]
