"""Who may include whom: the architecture, held."""

import ast
import functools
import graphlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_INCLUDE = {
    "core": set(),
    "flags": {"core"},
    "trace": {"core"},
    "traceio": {"core", "trace"},
    "config": {"core", "lb"},
    "kube": {"core", "trace", "lb"},
    "lb": {"core", "trace"},
    "sim": {"core", "trace", "lb", "load"},
    "wasm": {"core", "trace", "lb", "load", "sim"},
    "dns": {"core"},
    "http2": {"core"},
    "clusterip": {"core", "flags"},
    "rpc": {"core"},
    "greet": {"core", "flags", "rpc"},
    "load": {"core", "trace", "lb"},
    "channel": {"core", "trace", "lb", "load", "flags", "config"},
    "live": {"core", "trace", "lb", "load", "config", "kube", "channel", "dns", "http2"},
    "oracle": {"core", "trace", "lb", "load", "channel", "rpc"},
    "engine": {"core", "trace", "lb", "channel", "live", "oracle", "flags"},
    "client": {"core", "trace", "flags", "load", "channel", "live", "traceio"},
    "gateway": {"core", "trace", "flags", "channel", "engine", "traceio"},
}
"""Rooms of cpp/ and the other rooms whose headers they may include. bindings may include all, and
nobody includes bindings. lb/testing is of
the room lb. Generated headers (greet.pb.h, grpc/health/v1/health.pb.h) are proto/'s;
greet, live and gateway use them."""

PURE = {"core", "trace", "http2", "lb", "load", "sim", "wasm"}
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


def test_the_readme_s_table_is_this_one():
    lines = (ROOT / "cpp" / "README.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    told = {room: set(filter(None, others.split(", "))) for room, others, _ in cells[2:]}
    assert told == MAY_INCLUDE


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


def test_the_policies_bench_is_for_tests_only():
    """bindings and tests/cpp may put policies on it."""
    bench = ROOT / "cpp" / "lb" / "testing"
    for room in MAY_INCLUDE:
        for path in sources(room):
            knows = '#include "lb/testing/' in path.read_text()
            assert not knows or path.is_relative_to(bench), path


@pytest.mark.parametrize("room", ["http2", "channel", "live", "client"])
def test_the_wire_is_our_own(room):
    """gRPC's is the oracle's. Its health service's messages are protobuf's alone."""
    for path in sources(room):
        found = re.search(
            r"#include [<\"](grpc(?!/health/v1/health\.pb\.h)|absl|.*\.grpc\.pb\.h)",
            path.read_text(),
        )
        assert not found, f"{path.name}: {found[0]}"


def test_only_the_bindings_know_pybind11():
    for room in MAY_INCLUDE:
        for path in sources(room):
            assert "pybind11" not in path.read_text(), path


# --- The Python package ---------------------------------------------------------------------------

PACKAGE = ROOT / "bindings" / "greetlab"

FLOORS = ["trace", "dns", "channels", "clusters", "views", "lessons", "commands"]
"""Folders of the package. Each may import those before it, and what lies beside them all (`_core`,
`arguments`, `executables`), at run time and for types alike."""


def imports(path):
    """What a module imports: (module, whether for types only)."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: names from the root, please"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            known = {*modules(), "greetlab._core"}
            names = [name if name in known else node.module for name in inside]
        else:
            continue
        yield from ((name, id(node) in for_types) for name in names if name in modules())


@functools.cache
def modules():
    """Name to file, of every module of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def test_every_folder_of_the_package_is_a_floor():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(FLOORS)


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_only_the_floors_below_it(floor):
    allowed = set(FLOORS[: FLOORS.index(floor) + 1])
    for path in sorted((PACKAGE / floor).rglob("*.py")):
        for name, _ in imports(path):
            top = [*name.split("."), ""][1]
            assert top not in FLOORS or top in allowed, f"{path}: imports {name}"
            assert top, f"{path}: imports the package itself, which stands above all floors"


def test_what_lies_beside_the_floors_imports_none_of_them():
    for path in sorted(PACKAGE.glob("*.py")):
        if path.name != "__init__.py":
            above = [name for name, _ in imports(path) if name.split(".")[1:2][0] in FLOORS]
            assert not above, f"{path}: imports {above}"


def test_no_module_imports_itself_through_others():
    """Also where the import stands in a function. Types may look at each other within a floor."""
    graph = {
        name: {other for other, for_types in imports(path) if not for_types}
        for name, path in modules().items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the circle
