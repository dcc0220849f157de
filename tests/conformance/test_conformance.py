"""Every engine in every scenario: our core in the sim and on real connections, and stock gRPC.

One scenario is one test for each engine. Where an engine is known to behave otherwise, the
scenario expects that other thing of it (`differences.py`), so that this is held, too.
"""

import pytest
from conformance import engines
from conformance.differences import ABSENT, DIFFERENCES
from conformance.scenarios import SCENARIOS
from conformance.steps import Stage


def steps_for(scenario, engine):
    """The scenario's steps, with what is known to be different put in its place."""
    instead = {}
    for difference in DIFFERENCES:
        if difference.scenario == scenario.name and engine in difference.engines:
            instead |= dict(difference.instead)
    return tuple(instead.get(step, step) for step in scenario.steps)


@pytest.mark.parametrize("engine_name", engines.NAMES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_conformance(scenario, engine_name):
    absent = ABSENT.get((scenario.name, engine_name))
    if reason := absent or engines.cannot(engine_name, scenario):
        pytest.skip(reason)
    engine = engines.make(engine_name, scenario.cluster)
    try:
        caller = engine.open(scenario.client)
        try:
            stage = Stage(engine, scenario.client, caller)
            for step in steps_for(scenario, engine_name):
                step.run(stage)
        finally:
            caller.close()
    finally:
        engine.close()


def test_each_name_is_used_once():
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))


def test_every_difference_is_about_something_that_is_there():
    scenarios = {scenario.name: scenario for scenario in SCENARIOS}
    for difference in DIFFERENCES:
        # Of all of them it would be no difference.
        assert set(difference.engines) < set(engines.NAMES)
        assert difference.why
        assert difference.source
        for step, other in difference.instead:
            assert step in scenarios[difference.scenario].steps
            assert other != step
    for name, engine in ABSENT:
        assert name in scenarios
        assert engine in engines.NAMES


def test_every_scenario_says_why_and_who_says_so():
    assert all(scenario.why and scenario.source for scenario in SCENARIOS)
