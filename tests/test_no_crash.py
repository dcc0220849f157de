"""No public call ends the interpreter: what crashed once, each in a process of its own, and a slice
of the fuzzer (tests/fuzz/public_calls.py; `./run guard calls` runs it for longer)."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import greetlab as gl
from greetlab import _core

FUZZER = Path(__file__).parent / "fuzz" / "public_calls.py"

CRASHED = {
    "a method of what __new__ made": "type(t).__new__(type(t)).sentence(0)",
    "a constructor left out": "_core.SimCluster.__new__(_core.SimCluster).step()",
    "pickled by protocol 0": "pickle.dumps(t, 0)",
    "reduced": "t.__reduce__()",
    "copied": "copy.copy(_core.PolicyConfig('pick_first'))",
    "inherited from": "type('Mine', (_core.SimCluster,), {'__init__': lambda self: None})().step()",
    "a row that there is not": "gl.Trace(t, np.array([10**9])).save('/dev/null')",
    "a policy in a policy in a policy": (
        "p = None\n"
        "for _ in range(20000):"
        " p = _core.PolicyConfig('random_subsetting', {'subsetSize': 1}, p)"
    ),
    "picks without an end": "_core.PolicyBench().picks(count=2**63)",
    "a file without an end": "gl.Trace.load('/dev/zero')",
    "hosts without an end": "_core.hosts_addresses('a', '/dev/zero'); raise ValueError",
    "a path with a NUL": "gl.Trace.load('/dev/null\\0.jsonl')",
}
BEGIN = """import copy, pickle
import numpy as np
import greetlab as gl
from greetlab import _core
t = gl.Cluster.sim().trace.core
try:
    {}
except (TypeError, ValueError, IndexError, OSError) as error:
    print("raised", error)
"""


@pytest.mark.parametrize("line", CRASHED.values(), ids=CRASHED)
def test_what_crashed_once_raises(line):
    code = BEGIN.format(line.replace("\n", "\n    "))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("raised")


class Meddler(gl.Policy):
    """Does something to the world while that world asks it."""

    act = None

    def pick(self, ready, call):
        type(self).act()
        return ready[0] if ready else None


@pytest.mark.parametrize("what", ["step", "kill", "scale"])
def test_a_policy_cannot_command_the_world_that_asks_it(what):
    cluster = gl.Cluster.sim(pods=3, seed=1)
    acts = {
        "step": cluster._core.step,
        "kill": lambda: cluster._core.kill("pod-1"),
        "scale": lambda: cluster._core.scale(1),
    }
    Meddler.act = staticmethod(acts[what])
    calls = cluster.channel("greetserver-headless", policy=Meddler).greet()
    assert calls.by_status == {"INTERNAL": 1}
    assert "this virtual world is at work already" in calls.errors[0]


def test_a_policy_cannot_command_the_bench_that_asks_it():
    bench = _core.PolicyBench(_core.python_policy(Meddler, "Meddler"))
    Meddler.act = staticmethod(lambda: bench.update([]))
    bench.update(["a"])
    bench.ready("a")
    assert "it does one thing at a time" in bench.picks(1)[0]


def test_a_virtual_world_has_one_thread_at_a_time():
    cluster = _core.SimCluster()
    channel = cluster.open_channel("greetserver-headless", _core.PolicyConfig("round_robin"))
    load = channel.start_load(200_000, 4, 0.0, 5.0, False, [], "", 0)
    running = threading.Thread(target=cluster.run_load, args=[load])
    running.start()
    while not load.ended:  # until it is at it, without Python's lock
        pass
    for act in (
        cluster.step,
        lambda: cluster.scale(1),
        channel.close,
        load.cancel,
        lambda: load.log,
    ):
        if load.done:
            break
        with pytest.raises(RuntimeError, match="one thing at a time"):
            act()
    running.join()
    assert load.done


@pytest.mark.parametrize("threads", [1, 4])
def test_a_slice_of_the_fuzzer(threads):
    command = [sys.executable, FUZZER, "--seconds", "0", "--seed", "7", "--lines", "120"]
    done = subprocess.run(
        [*command, "--threads", str(threads)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
