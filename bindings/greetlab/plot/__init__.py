"""Pictures of what happened. Each takes results or traces and returns a figure; none measures."""

from greetlab.plot.distributions import latency
from greetlab.plot.request_strips import requests
from greetlab.plot.state_bars import states
from greetlab.plot.style import Picture
from greetlab.plot.three_lanes import lanes
from greetlab.plot.waits import waits
from greetlab.plot.waterfall import lookup

__all__ = ["Picture", "lanes", "latency", "lookup", "requests", "states", "waits"]
