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
MOST = 6
"""Of how many clusters, and of how many of the test's channels: the last ones."""

_clusters: list[weakref.ref] = []  # all: a fixture's may be older than the test
_channels: list[weakref.ref] = []  # of the test that runs


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
        _watch(patch, kind, "__init__", lambda self, _: _clusters.append(weakref.ref(self)))
        _watch(patch, kind, "channel", lambda _, channel: _channels.append(weakref.ref(channel)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    _channels.clear()
    _clusters[:] = [ref for ref in _clusters if ref() is not None]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call):
    report = yield
    if report.when in ("setup", "call") and report.failed:
        for made in (_clusters, _channels):
            alive = [thing for ref in made if (thing := ref()) is not None]
            if len(alive) > MOST:
                report.sections.append(("...", f"{len(alive) - MOST} before these"))
            for thing in alive[-MOST:]:
                report.sections.append((type(thing).__name__, _told(thing)))
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
