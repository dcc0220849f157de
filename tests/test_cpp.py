"""What only C++ can check: allocations, and data races. Each is a small program of its own."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE = [str(path) for room in ("core", "lb", "sim") for path in (ROOT / "cpp" / room).rglob("*.cc")]


def build_and_run(tmp_path, name, *flags):
    program = tmp_path / name
    compiler = os.environ.get("CXX", "c++")
    source = str(ROOT / "tests" / "cpp" / f"{name}.cc")
    command = [compiler, "-std=c++20", "-Wall", "-Wextra", f"-I{ROOT / 'cpp'}", *flags, source]
    subprocess.run([*command, "-o", program, "-pthread"], check=True)
    return subprocess.run([program], capture_output=True, text=True)


@pytest.mark.timeout(180)
def test_nobody_listening_costs_no_allocation(tmp_path):
    ended = build_and_run(tmp_path, "unobserved", *PURE)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.timeout(180)
def test_a_recording_can_be_read_while_it_is_written(tmp_path):
    ended = build_and_run(tmp_path, "recording_threads", "-O1", "-g", "-fsanitize=thread")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 broken" in ended.stdout


@pytest.mark.timeout(180)
def test_a_cancelled_call_is_not_sent_again(tmp_path):
    ended = build_and_run(tmp_path, "cancelled_once", *PURE)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.timeout(180)
def test_an_address_that_nobody_holds_is_forgotten(tmp_path):
    ended = build_and_run(tmp_path, "forgotten_addresses", *PURE)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_text_has_the_same_hash_in_every_language(tmp_path):
    assert build_and_run(tmp_path, "known_hashes").returncode == 0
