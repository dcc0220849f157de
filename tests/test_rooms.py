"""Who may include whom: the architecture, held."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_INCLUDE = {
    "core": set(),
    "flags": {"core"},
    "traceio": {"core"},
    "lb": {"core"},
    "sim": {"core", "lb"},
    "dns": {"core"},
    "clusterip": {"core", "flags"},
    "rpc": set(),
    "greet": {"core", "flags", "rpc"},
    "live": {"core", "lb", "dns", "rpc"},
    "client": {"core", "flags", "lb", "live", "traceio"},
    "gateway": {"core", "flags", "lb", "live", "traceio"},
}
"""Rooms of cpp/ and the other rooms whose headers they may include. bindings may include all, and
nobody includes bindings. Generated headers (greet.pb.h, grpc/health/v1/health.pb.h) are proto/'s;
greet, live and gateway use them."""

PURE = {"core", "lb", "sim"}
"""Rooms without a clock, a random device, a socket or a thread: the world hands those in."""

IMPURE = re.compile(
    r"_clock::now|\bgettimeofday\b|\bclock_gettime\b|\btime\(|\brand\(|random_device|\bsleep"
    r"|#include <(thread|mutex|condition_variable|sys/|unistd|netinet|arpa)"
)


def sources(room):
    return sorted(p for p in (ROOT / "cpp" / room).rglob("*") if p.suffix in {".h", ".cc"})


def test_every_room_has_its_rule():
    rooms = {path.name for path in (ROOT / "cpp").iterdir() if path.is_dir()}
    assert rooms == set(MAY_INCLUDE)


@pytest.mark.parametrize("room", MAY_INCLUDE)
def test_a_room_includes_only_the_rooms_below_it(room):
    for path in sources(room):
        included = set(re.findall(r'#include "(\w+)/', path.read_text()))
        foreign = (included & set(MAY_INCLUDE)) - {room} - MAY_INCLUDE[room]
        assert not foreign, f"{path.name} includes {foreign}"


@pytest.mark.parametrize("room", sorted(PURE))
def test_a_pure_room_touches_nothing_of_the_world(room):
    for path in sources(room):
        found = IMPURE.search(path.read_text())
        assert not found, f"{path.name}: {found[0]}"


def test_only_the_bindings_know_pybind11():
    for room in MAY_INCLUDE:
        for path in sources(room):
            assert "pybind11" not in path.read_text(), path
