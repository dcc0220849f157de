"""What a failing test has to say: the clusters that it made, and the stories of their channels.

A plugin of pytest's (conftest.py has it). It knows them because it looks over the shoulder of their
constructors; the product knows nothing of it.
"""

import functools
import weakref

import pytest

from greetlab.channels.greet_channel import GreetChannel
from greetlab.clusters.cluster import Cluster
from greetlab.clusters.local import LocalCluster
from greetlab.clusters.sim import SimCluster

SENTENCES = 60
"""How many of a channel's last sentences are told."""

_made: list[weakref.ref] = []


def _watch(monkeypatch, kind, method, note):
    original = getattr(kind, method)

    @functools.wraps(original)
    def watched(self, *args, **options):
        result = original(self, *args, **options)
        note(self, result)
        return result

    monkeypatch.setattr(kind, method, watched)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart():
    patch = pytest.MonkeyPatch()
    for kind in (SimCluster, LocalCluster):
        _watch(patch, kind, "__init__", lambda self, _: _made.append(weakref.ref(self)))
        _watch(patch, kind, "channel", lambda _, channel: _made.append(weakref.ref(channel)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    _made.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call):
    report = yield
    if report.when == "call" and report.failed:
        for number, thing in enumerate(made for ref in _made if (made := ref()) is not None):
            report.sections.append((f"{type(thing).__name__} {number + 1}", _told(thing)))
    return report


def _told(thing):
    try:
        if isinstance(thing, Cluster):
            return repr(thing)
        assert isinstance(thing, GreetChannel)
        lines = thing.trace.story().splitlines()
        skipped = [f"({len(lines) - SENTENCES} sentences before)"] * (len(lines) > SENTENCES)
        return "\n".join([repr(thing), *skipped, *lines[-SENTENCES:]])
    except Exception as error:  # it is the test that failed, not this
        return f"cannot tell: {error!r}"
