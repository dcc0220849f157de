"""What every engine is held to. Each scenario is data: why, a cluster, a client, and steps.

Outcomes, cycles and shares are compared, never which pod was the first, and never sequences of
states: stock gRPC shows its states coalesced.
"""

from conformance.health_and_load import HEALTH_AND_LOAD
from conformance.looking_up import LOOKING_UP
from conformance.on_the_wire import ON_THE_WIRE
from conformance.pods_come_and_go import PODS_COME_AND_GO
from conformance.retries import RETRIES
from conformance.service_configs import SERVICE_CONFIGS
from conformance.waiting import WAITING
from conformance.who_gets_what import WHO_GETS_WHAT

SCENARIOS = (
    *WHO_GETS_WHAT,
    *PODS_COME_AND_GO,
    *LOOKING_UP,
    *WAITING,
    *RETRIES,
    *SERVICE_CONFIGS,
    *HEALTH_AND_LOAD,
    *ON_THE_WIRE,
)
