"""What only C++ can check of the pure rooms: allocations, bytes, data races, and the story itself.

Each is a small program (tests/cpp), and all are run by `ctest` with a compiler alone:

    cmake -S . -B build/core -DGREETLAB_CORE_ONLY=ON
    cmake --build build/core && ctest --test-dir build/core

Here they are built with the rest of the package where that is there: a quarter of the time.
"""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"


def installed_from():
    """The folder that `./run` built this Python's module in, whose rooms need not be built again;
    None where pip built it in isolation: its tools are gone.
    """
    folder = ROOT / "build" / f"{TAG}-{TAG}-linux_{platform.machine()}"
    if not (cache := folder / "CMakeCache.txt").exists():
        return None
    tools = re.findall(r"^(?:pybind11_DIR|CMAKE_MAKE_PROGRAM):\w+=(.+)$", cache.read_text(), re.M)
    return folder if tools and all(Path(tool).exists() for tool in tools) else None


@pytest.fixture(scope="module")
def built():
    core = ROOT / "build" / "core"
    folder = installed_from() or core
    for command in (
        ["cmake", "-S", ROOT, "-B", core, "-G", "Ninja", "-DGREETLAB_CORE_ONLY=ON"],
        ["cmake", "--build", folder, "--target", "core_tests"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.timeout(300)
def test_the_pure_rooms_hold_by_a_compiler_alone(built):
    done = subprocess.run(
        ["ctest", "--test-dir", built, "--output-on-failure"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"100% tests passed, 0 tests failed out of 17", done.stdout), done.stdout


@pytest.mark.timeout(300)
def test_http2_holds_in_memory_under_asan_and_ubsan(tmp_path):
    """`cpp/http2` has no sockets: the server is frames in a string."""
    program = tmp_path / "http2_in_memory"
    built = subprocess.run(
        ["c++", "-std=c++20", "-O1", "-g1", "-fsanitize=address,undefined", "-I", ROOT / "cpp",
         '-DGREETLAB_VERSION="test"', ROOT / "tests" / "cpp" / "http2_in_memory.cc",
         *(ROOT / "cpp" / "http2").glob("*.cc"), ROOT / "cpp" / "core" / "printable.cc",
         "-lnghttp2", "-o", program],
        capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    done = subprocess.run([program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0 broken\n"), done.stdout + done.stderr
