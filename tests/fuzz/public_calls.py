"""Calls everything public of greetlab and greetlab._core with what is nearly right.

python tests/fuzz/public_calls.py [--seconds 60] [--seed 1]

A *program* is a list of lines of Python, each a call on what the lines before it made. It is made
while it runs, by a seed, in a process of its own: with one thread, or with four that share all
objects. What a line raises is fine. A find is a process that a signal ends, or a line that neither
ends nor hears SIGALRM, as Ctrl-C would come. It is shrunk, and printed as one line for a shell.
"""

from __future__ import annotations

import argparse
import ast
import faulthandler
import inspect
import itertools
import os
import random
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

LINES = 250
LINE_SECONDS, DEAF_SECONDS = 2.0, 20.0
PROGRAM_SECONDS, PROCESS_SECONDS = 30.0, 90.0  # a program ends by itself, at whichever line
MEMORY = 4 << 30
BEGIN = """import copy, math, pickle
import numpy as np
import greetlab as gl
from greetlab import _core
from greetlab.trace.stepper import Stepper
class Odd(gl.Policy):
    def pick(self, ready, call): return odd(ready)
odd = lambda ready: ready[0] if ready else None
"""
START = (
    "gl.Cluster.sim(pods=3, seed=1)",
    "gl.Cluster.sim(pods=2, seed=2, max_connection_age=1.0, trace_capacity=50)",
    "_core.SimCluster()",
    "_core.PolicyBench()",
    "_core.PolicyBench(_core.python_policy(Odd, 'odd'))",
    "_core.PolicyConfig('round_robin')",
    "_core.PolicyConfig('random_subsetting', {'subsetSize': 2})",
    "_core.PolicyBench(_core.PolicyConfig('ring_hash_experimental', {}, None, "
    "{'requestHashHeader': 'a'}))",
    "_core.SliceWatchBench('web.default:grpc')",
    "_core.SliceEndpoint('pod-1', '127.0.0.1:1', ready=True, serving=True, terminating=False)",
    "gl.Cluster.sim(pods=2, seed=3).channel('watch:///greetserver')",
    "_core.open_channel('lab', 'static:127.0.0.1:1', 'client-1', _core.PolicyConfig('pick_first'))",
    "_core.open_channel('grpc', 'static:127.0.0.1:1', 'c', _core.PolicyConfig('round_robin'))",
    "gl.Channel('static:127.0.0.1:1,127.0.0.2:1', policy='round_robin')",
    "_core.DnsResolver(['127.0.0.1:1'], timeout=0.01, attempts=1)",
    "_core.system_resolver_config()",
    "gl.predict(pod_1=1)",
)
NUMBERS = (
    "0", "1", "2", "3", "7", "-1", "255", "2**16", "2**31 - 1", "2**31", "2**32", "2**63 - 1",
    "2**63", "2**64", "-2**63", "10**30", "True", "np.int64(2)", "np.uint8(1)",
)  # fmt: skip
FLOATS = (
    "0.0",
    "0.01",
    "0.5",
    "-1.0",
    "math.nan",
    "math.inf",
    "1e308",
    "5e-324",
    "np.float32(0.1)",
)
TEXTS = (
    "''", "'pod-1'", "'pod-2'", "'greetserver'", "'greetserver-headless'", "'round_robin'", "'a'",
    "'pick_first'", "'127.0.0.1:1'", "'calls'", "'connections'", "'Picked'", "'CallEnded'", "'pod'",
    "'call'", "'A'", "'x' * 70000", "'\\ud800'", "'a\\0b'", "'\\x1b[31m'", "'lab'", "'/dev/null'",
    "'/dev/zero'", "'.' * 300", "'%s%n'", "'[::1]:1'",
)  # fmt: skip
ARRAYS = (
    "np.arange(3)", "np.array([10**9])", "np.array([-1])", "np.array([], dtype=np.int64)",
    "np.zeros((2, 2), dtype=np.int64)", "np.array(5)", "np.array([1.5, math.nan])",
    "np.array(['a'])", "np.array([2**63], dtype=np.uint64)", "np.arange(6)[::2]",
    "np.array([None], dtype=object)", "[0, 1]", "range(2)",
)  # fmt: skip
STRANGE = ("None", "b''", "b'ab'", "[]", "{}", "()", "object()", "...", "1j", "lambda *a: 1", "Odd")
# What is no object's business here: it would make processes, or end what the run needs.
NOT_CALLED = re.compile(r"\.(local|kube|attach|notebooks|tell_endpoints_changed_)$")
SPECIAL = (
    "len({0})", "repr({0})", "str({0})", "{0}[{1}]", "list({0})[:3]", "copy.copy({0})",
    "copy.deepcopy({0})", "pickle.dumps({0}, {1})", "type({0}).__new__(type({0}))",
    "{0}.__init__()", "hash({0})", "{0} == {1}", "{0}._repr_html_()", "{0}._repr_mimebundle_()",
    "{0}.__reduce__()", "{0}.__getstate__()", "{0}.__setstate__({1})",
    "{0}.__exit__(None, None, None)",
)  # fmt: skip


def stub_signatures() -> dict[str, list[tuple[str, str, bool]]]:
    """Of the core, from its stub: "SimCluster.kill" -> [(name, annotation, has a default)]."""
    import greetlab

    tree = ast.parse((Path(greetlab.__file__).parent / "_core.pyi").read_text())
    found = {}
    for node in tree.body:
        for function in node.body if isinstance(node, ast.ClassDef) else [node]:
            if not isinstance(function, ast.FunctionDef):
                continue
            args = function.args.args
            defaults = len(args) - len(function.args.defaults)
            name = f"{node.name}.{function.name}" if function is not node else function.name
            found[name] = [
                (arg.arg, ast.unparse(arg.annotation) if arg.annotation else "", i >= defaults)
                for i, arg in enumerate(args)
                if arg.arg not in ("self", "cls")
            ]
    return found


class Maker:
    """Makes the lines, from what there is by now: `names` in a program's own namespace."""

    def __init__(self, rng: random.Random, space: dict[str, Any]) -> None:
        self.rng = rng
        self.space = space
        self.names: list[str] = []
        self.stubs = stub_signatures()
        self.numbers = itertools.count()

    def line(self) -> str:
        rng = self.rng
        target = f"v{next(self.numbers)}"
        if len(self.names) < 3 or rng.random() < 0.06:
            return f"{target} = {rng.choice(START)}"
        if rng.random() < 0.12:
            return f"{target} = {self.module_call()}"
        owner = self.mine() if rng.random() < 0.8 else rng.choice(self.names)
        if rng.random() < 0.15:
            pattern = rng.choice(SPECIAL)
            return f"{target} = {pattern.format(owner, self.value('int'))}"
        value = self.space.get(owner)
        members = [name for name in dir(type(value)) if not name.startswith("_")]
        if not members:
            return f"{target} = repr({owner})"
        name = rng.choice(members)
        member = inspect.getattr_static(type(value), name, None)
        if not callable(member) and not isinstance(member, staticmethod | classmethod):
            return f"{target} = {owner}.{name}"
        text = f"{owner}.{name}"
        if NOT_CALLED.search(text):
            return f"{target} = repr({owner})"
        return f"{target} = {text}({self.arguments(type(value), name, member)})"

    def mine(self) -> str:
        """One of the objects that are ours, the newest rather."""
        ours = [
            name
            for name in self.names[-60:]
            if type(self.space.get(name)).__module__.startswith("greetlab")
        ]
        return self.rng.choice(ours or self.names)

    def module_call(self) -> str:
        import greetlab
        from greetlab import _core

        core = self.rng.random() < 0.6
        module, short = (_core, "_core") if core else (greetlab, "gl")
        names = dir(module) if core else greetlab.__all__
        names = [one for one in names if not one.startswith("_") and callable(getattr(module, one))]
        name = self.rng.choice(names)
        return f"{short}.{name}({self.arguments(None, name, getattr(module, name))})"

    def arguments(self, owner: type | None, name: str, member: Any) -> str:
        rng = self.rng
        wanted = self.signature(owner, name, member)
        given = []
        for parameter, annotation, optional in wanted:
            if optional and rng.random() < 0.5:
                continue
            given.append(f"{parameter}={self.value(annotation, parameter)}")
        if rng.random() < 0.03 and given:
            given.pop()
        return ", ".join(given)

    def signature(self, owner: type | None, name: str, member: Any) -> list[tuple[str, str, bool]]:
        if owner is not None and owner.__module__ == "greetlab._core":
            return self.stubs.get(f"{owner.__name__}.{name}", [])
        if owner is None and name in self.stubs:
            return self.stubs[name]
        if owner is None and f"{name}.__init__" in self.stubs:
            return self.stubs[f"{name}.__init__"]
        try:
            parameters = list(inspect.signature(inspect.unwrap(member)).parameters.values())
        except (TypeError, ValueError):
            return []
        return [
            (one.name, str(one.annotation), one.default is not one.empty)
            for one in parameters
            if one.name not in ("self", "cls")
            and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        ]

    def value(self, annotation: str, parameter: str = "") -> str:
        rng = self.rng
        luck = rng.random()
        if luck < 0.10:
            return rng.choice(STRANGE + NUMBERS + TEXTS + ARRAYS)
        if luck < 0.22 and self.names:
            return rng.choice(self.names)
        if parameter in ("timeout", "patience"):
            return rng.choice(("0.0", "0.01", "0.02", "-1.0", "math.nan", "math.inf"))
        if parameter in ("calls", "times", "n", "count", "concurrency", "pods", "number"):
            return rng.choice(("0", "1", "2", "5", "60", "-1", "2**63", "10**30"))
        if parameter == "path":
            return rng.choice(("'/dev/null'", "'/dev/zero'", "'/'", "''", "'a\\0b'", "'\\ud800'"))
        if parameter == "control":
            return rng.choice(("'/nowhere'", "''", "'@x'", "'a\\0b'", "'x' * 200"))
        kind = re.match(r"[\w.]+", annotation.strip("\"' "))
        word = (kind.group(0) if kind else "").rpartition(".")[2]
        holders = [n for n in self.names[-60:] if type(self.space.get(n)).__name__ == word]
        if holders and rng.random() < 0.9:
            return rng.choice(holders)
        if "NDArray" in annotation or "Rows" in annotation:
            return rng.choice(ARRAYS)
        if word in ("Sequence", "list", "Iterable", "tuple"):
            return f"[{', '.join(rng.choice(TEXTS) for _ in range(rng.randrange(4)))}]"
        if word in ("Mapping", "dict"):
            return f"{{{rng.choice(TEXTS)}: {rng.choice(NUMBERS)}}}"
        if word == "float":
            return rng.choice(FLOATS)
        if word == "bool":
            return rng.choice(("True", "False", "1", "None"))
        if word in ("str", "Literal"):
            return rng.choice(TEXTS)
        if word == "int":
            return rng.choice(NUMBERS)
        return rng.choice(NUMBERS + TEXTS + FLOATS + STRANGE)


def space() -> dict[str, Any]:
    made: dict[str, Any] = {}
    exec(BEGIN, made)
    return made


class TooLongError(BaseException):
    """A line that was stopped."""


def on_alarm(_number: int, _frame: Any) -> None:
    signal.setitimer(signal.ITIMER_REAL, LINE_SECONDS)
    raise TooLongError


def run_line(line: str, inside: dict[str, Any]) -> None:
    """Runs it; whatever it raises is fine. In the main thread it is stopped when it takes long."""
    main = threading.current_thread() is threading.main_thread()
    try:
        try:
            if main:
                faulthandler.dump_traceback_later(DEAF_SECONDS, exit=True)
                signal.setitimer(signal.ITIMER_REAL, LINE_SECONDS)
            exec(line, inside)
        finally:
            if main:
                signal.setitimer(signal.ITIMER_REAL, 0)
                faulthandler.cancel_dump_traceback_later()
    except BaseException:
        inside.pop(line.partition(" = ")[0], None)


def prepare() -> None:
    faulthandler.enable()
    os.chdir(tempfile.mkdtemp(prefix="greetlab-fuzz-"))  # for what is saved
    limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, on_alarm)
    sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115 (till the process ends)


def leave(others: list[threading.Thread]) -> None:
    """Ends the process. Who is in a call by then is not waited for."""
    for other in others:
        other.join(1)
    if any(other.is_alive() for other in others):
        sys.stderr.flush()
        os._exit(0)


def make_and_run(seed: int, lines: int, threads: int, log: Path) -> None:
    """In the process of its own: makes a program, and runs each line once it is written down."""
    prepare()
    inside = space()
    maker = Maker(random.Random(seed), inside)
    making = threading.Lock()
    end = time.monotonic() + PROGRAM_SECONDS

    with log.open("w", buffering=1, errors="surrogatepass") as file:

        def work() -> None:
            for _ in range(lines // threads):
                if time.monotonic() > end:
                    return
                with making:
                    line = maker.line()
                    file.write(f"{line}\n")
                    if threads == 1:
                        file.flush()
                run_line(line, inside)
                name = line.partition(" = ")[0]
                if name in inside:
                    maker.names.append(name)

        others = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
        for other in others:
            other.start()
        work()
        leave(others)


def replay(lines: list[str], threads: int) -> None:
    """In a process of its own: the same lines again, in each thread."""
    prepare()
    inside = space()

    def work() -> None:
        for line in lines:
            run_line(line, inside)

    others = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for other in others:
        other.start()
    work()
    leave(others)


def process(*arguments: str, text: str = "") -> tuple[int, str]:
    """How a process of ours ended: its code (negative: a signal), and what it said."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return process_in(folder, *arguments, text=text)


def process_in(folder: str, *arguments: str, text: str) -> tuple[int, str]:
    """The same; what it leaves behind is left in the folder."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "TMPDIR": folder},
            input=text.encode(errors="surrogatepass"),
            capture_output=True,
            timeout=PROCESS_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return 0, ""  # many lines, and a busy machine: no line of them was deaf
    said = done.stderr.decode(errors="replace")
    deaf = done.returncode == 1 and "Timeout (" in said
    return (-signal.SIGALRM if deaf else done.returncode), said


def shrunk(lines: list[str], threads: int) -> list[str]:
    """Fewer lines that end the process just so: halves are left out, then quarters, ..."""

    def fails(some: list[str]) -> bool:
        return process("--replay", "--threads", str(threads), text="\n".join(some))[0] < 0

    if not fails(lines):
        return []
    size = len(lines) // 2
    while size:
        at = 0
        while at < len(lines):
            less = lines[:at] + lines[at + size :]
            if less and fails(less):
                lines = less
            else:
                at += size
        size //= 2
    return lines


def one(seed: int, lines: int, threads: int) -> str:
    """Runs the program of a seed. "" or what is wrong, with the way to see it again."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "program"
        code, said = process(
            "--child", "--seed", str(seed), "--lines", str(lines), "--threads", str(threads),
            "--log", str(log),
        )  # fmt: skip
        if code >= 0 and not (code and "Traceback" in said):
            return ""
        program = log.read_text(errors="surrogatepass").splitlines() if log.exists() else []
    how = signal.Signals(-code).name if code < 0 else f"exit {code}"
    found = f"seed {seed}, threads {threads}: {how}\n{said[-3000:]}"
    for number in sorted({1, threads}):
        if code < 0 and (few := shrunk(program, number)):
            text = "\n".join(few)
            again = f"printf %s {shlex.quote(text)} | python {__file__} --replay --threads {number}"
            return f"{found}\n{text}\n\n{again}"
    return f"{found}\nnot seen again by its lines alone; the last were\n" + "\n".join(program[-12:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1, help="of the first program")
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--threads", type=int, default=0, help="0: one, then four")
    parser.add_argument("--keep-going", action="store_true", help="after a find, too")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--replay", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.child:
        make_and_run(wanted.seed, wanted.lines, wanted.threads or 1, wanted.log)
        return 0
    if wanted.replay:
        text = sys.stdin.buffer.read().decode(errors="surrogatepass")
        replay(text.splitlines(), wanted.threads or 1)
        return 0
    end, seed, finds = time.monotonic() + wanted.seconds, wanted.seed, 0
    while seed == wanted.seed or time.monotonic() < end:
        for threads in (wanted.threads,) if wanted.threads else (1, 4):
            if found := one(seed, wanted.lines, threads):
                finds += 1
                print(found, flush=True)
                if not wanted.keep_going:
                    return 1
        seed += 1
    print(f"{seed - wanted.seed} programs of {wanted.lines} lines, {finds} finds")
    return finds > 0


if __name__ == "__main__":
    sys.exit(main())
