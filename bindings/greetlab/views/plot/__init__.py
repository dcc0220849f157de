"""Pictures of what happened. Each takes results or traces and returns a figure; none measures."""

from greetlab.views.plot.distributions import latency
from greetlab.views.plot.frames import frames
from greetlab.views.plot.queues import queues
from greetlab.views.plot.request_strips import requests
from greetlab.views.plot.scoreboard import scoreboard
from greetlab.views.plot.state_bars import states
from greetlab.views.plot.style import Picture
from greetlab.views.plot.surface import surface
from greetlab.views.plot.three_lanes import lanes
from greetlab.views.plot.waits import waits
from greetlab.views.plot.waterfall import lookup

__all__ = [
    "Picture",
    "frames",
    "lanes",
    "latency",
    "lookup",
    "queues",
    "requests",
    "scoreboard",
    "states",
    "surface",
    "waits",
]
