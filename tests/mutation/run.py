"""How many mutants of cpp/lb do its own tests kill?

    ./run guard mutants                       # 150 of them, the same ones every time
    MUTANTS=10 MUTANT_SEED=7 ./run guard mutants

A mutant is one small change in one source (`mutants.py`). It is killed where a test of the core
fails or takes too long: the programs of tests/cpp, then the tests that run the core on the bench
and in the sim (`pytest --quick`, the first failure is enough). Those that survive are shown as a
diff: each is a test that is missing, or a line that does nothing.

To be quick it links once: the room lb becomes a shared library, of which a mutant compiles one file
(-O0) and links the rest again; programs and Python's module stay as they are. What else they are
made of comes from the build folder of `./run`.
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
LB = ROOT / "cpp" / "lb"
OUT = ROOT / "build" / "mutants"
FLAGS = ["-std=c++20", "-O0", "-fPIC", "-w", f"-I{ROOT / 'cpp'}", '-DGREETLAB_VERSION="mutant"']
PYTHON_TESTS = (
    "test_policies", "test_more_policies", "test_properties", "test_ip_families", "test_own_policy",
    "test_sim", "test_identities", "test_golden", "test_keepalive", "test_idle", "test_waits",
    "test_capacity", "test_lifecycle", "test_rollout_sim", "test_ring_hash",
    "test_outlier_detection", "test_weighted_round_robin", "test_health_checking", "test_watch",
    "test_retries", "test_service_config",
)  # fmt: skip
"""Those that put policies on the bench or run the core in the sim; the quickest to fail first."""
NEEDS_A_PROGRAM = "tests/test_service_config.py::test_greet_client_takes_one"
"""Of ours, and this package has none."""
BELOW = ("trace", "core")
ABOVE = ("wasm", "lb/testing", "sim", "load")
"""Rooms that lb stands on, and those that stand on it."""
PROGRAM = 15.0
"""Seconds that a program of tests/cpp may take: each takes less than one."""
TOO_LONG = 2.0
"""Times as long as all of it takes without a mutant: it hangs."""


def run(command: list[str | Path], **how: object) -> subprocess.CompletedProcess[str]:
    """Runs a command; the words it said are in its result."""
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, **how)  # type: ignore[call-overload]


def must(command: list[str | Path], **how: object) -> str:
    """The same of one that must not fail."""
    done = run(command, **how)
    if done.returncode:
        sys.exit(f"mutants: {shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def sources() -> list[Path]:
    """What is mutated: all of the room but the bench, which is a test itself."""
    return [path for path in sorted(LB.rglob("*.cc")) if "testing" not in path.parts]


def object_of(source: Path) -> Path:
    """Where a source's object is."""
    return OUT / "objects" / (str(source.relative_to(LB)).replace("/", "_") + ".o")


def programs() -> list[str]:
    """The tests in C++ that need the pure rooms only."""
    text = (ROOT / "tests" / "cpp" / "CMakeLists.txt").read_text()
    [names] = re.findall(r"foreach\(name ([^)]*)\)", text)
    return list(names.split())


def compiler() -> list[str]:
    """The compiler, as the environment names it."""
    return shlex.split(os.environ.get("CXX", "c++"))


class Rig:
    """Programs and a package whose room lb is a shared library that can be replaced."""

    def __init__(self) -> None:
        self.library = OUT / "liblb.so"
        self.patience = 600.0  # seconds
        found = sorted(ROOT.glob("build/cp3*/build.ninja"), key=lambda path: path.stat().st_mtime)
        if not found:
            sys.exit("mutants: no build folder; ./run test makes one")
        self._build = found[-1].parent
        (OUT / "objects").mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compile_one = [*compiler(), *FLAGS, "-c"]
            [*pool.map(lambda one: must([*compile_one, one, "-o", object_of(one)]), sources())]
            self.link({})
            self._programs = [*pool.map(self._program, programs())]
        self._package()

    def link(self, instead: dict[Path, Path]) -> None:
        """Makes the library, with other objects for some sources."""
        objects = [instead.get(source, object_of(source)) for source in sources()]
        must([*compiler(), "-shared", "-o", self.library, *objects, *self._archives(BELOW)])

    def _archives(self, rooms: Sequence[str]) -> list[Path]:
        return [self._build / "cpp" / room / f"libgreetlab_{room.replace('/', '_')}.a"
                for room in rooms]  # fmt: skip

    def _program(self, name: str) -> Path:
        program = OUT / name
        source = ROOT / "tests" / "cpp" / f"{name}.cc"
        must([*compiler(), *FLAGS, source, *self._archives(ABOVE), self.library,
              *self._archives(BELOW), f"-Wl,-rpath,{OUT}", "-o", program])  # fmt: skip
        return program

    def _package(self) -> None:
        package = OUT / "package" / "greetlab"
        shutil.rmtree(package, ignore_errors=True)
        shutil.copytree(ROOT / "bindings" / "greetlab", package)
        [module] = self._build.glob("bindings/_core*.so")
        name = module.relative_to(self._build)
        last = must(["ninja", "-C", self._build, "-t", "commands", "-s", name]).splitlines()[-1]
        # Without the room's own archive, and without hiding what the library needs of the others.
        command = [word for word in shlex.split(last) if not word.endswith("libgreetlab_lb.a")]
        start, end = command.index("&&") + 1, len(command)
        while "&&" in command[start:end]:
            end = start + command[start:end].index("&&")
        link = [word for word in command[start:end] if "--version-script" not in word]
        link[link.index("-o") + 1] = str(package / module.name)
        must([*link, self.library, f"-Wl,-rpath,{OUT}"], cwd=self._build)

    def killed_by(self) -> str | None:
        """The first test that fails of what stands in the library; None: all pass."""
        for program in self._programs:
            try:
                if run([program], timeout=min(PROGRAM, self.patience)).returncode:
                    return program.name
            except subprocess.TimeoutExpired:
                return f"{program.name} (it hangs)"
        tests = [f"tests/{name}.py" for name in PYTHON_TESTS
                 if (ROOT / "tests" / f"{name}.py").exists()]  # fmt: skip
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--quick", "--timeout=20",
                   "-p", "no:cacheprovider", "--no-header", "--tb=no", *tests,
                   f"--deselect={NEEDS_A_PROGRAM}"]  # fmt: skip
        path = os.pathsep.join([str(OUT / "package"), os.environ.get("PYTHONPATH", "")])
        try:
            done = run(
                command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, timeout=self.patience
            )
        except subprocess.TimeoutExpired:
            return "pytest (it hangs)"
        if done.returncode == 0:
            return None
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return failed[0] if failed else f"pytest: {(done.stdout + done.stderr).strip()[-200:]}"


@dataclass(frozen=True)
class Made:
    """A mutant, and of what."""

    source: Path
    mutant: Mutant

    def write(self) -> Path:
        """Its text, in a folder of its own."""
        path = OUT / "mutant.cc"
        path.write_text(self.mutant.applied(self.source.read_text()))
        return path

    def diff(self) -> str:
        """What was changed, as a diff without its heads."""
        before = self.source.read_text().splitlines()
        after = self.mutant.applied(self.source.read_text()).splitlines()
        lines = [*difflib.unified_diff(before, after, lineterm="", n=0)][2:]
        return "\n".join(f"    {line}" for line in lines)


def chosen(seed: int) -> list[Made]:
    """All mutants, in an order by the seed."""
    made = [Made(path, one) for path in sources() for one in mutants(path.read_text())]
    random.Random(seed).shuffle(made)
    return made


def main() -> None:
    """Kills mutants, and says which it could not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=150, help="of mutants that compile")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    rig = Rig()
    without = time.monotonic()
    if (by := rig.killed_by()) is not None:
        sys.exit(f"mutants: without any, {by}")
    rig.patience = 10 + TOO_LONG * (time.monotonic() - without)
    print(f"set up in {time.monotonic() - began:.0f} s", flush=True)
    every = chosen(given.seed)
    tried = killed = broken = 0
    survivors: list[Made] = []
    began = time.monotonic()
    changed = OUT / "objects" / "mutant.o"
    for made in every:
        if tried == given.count:
            break
        place = f"-I{made.source.parent}"
        if run([*compiler(), *FLAGS, place, "-c", made.write(), "-o", changed]).returncode:
            broken += 1
            continue
        rig.link({made.source: changed})
        tried += 1
        by = rig.killed_by()
        line = made.source.read_text()[: made.mutant.start].count("\n") + 1
        where = f"{made.source.relative_to(ROOT)}:{line}"
        said = f"{tried:4}  {where}  {made.mutant.what}"
        if by is None:
            survivors.append(made)
            print(f"{said}: SURVIVED\n{made.diff()}", flush=True)
        else:
            killed += 1
            print(f"{said}: {by}", flush=True)
    took = (time.monotonic() - began) / max(tried, 1)
    print(f"{killed} of {tried} killed ({100 * killed / max(tried, 1):.0f} %); {took:.1f} s each; "
          f"{broken} more did not compile; {len(every)} there are")  # fmt: skip
    sys.exit(killed < 0.95 * tried)


if __name__ == "__main__":
    main()
