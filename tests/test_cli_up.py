"""`greetlab up`: a cluster that stays until it is told to go, and how to reach it."""

import contextlib
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys

import psutil
import pytest
from command_line import greetlab, running
from support import wait_until

from greetlab import executables


def first_words(process, last):
    """What it says, until a line says `last`."""
    said = []
    for line in process.stdout:
        said.append(line)
        if last in line:
            return "".join(said)
    return pytest.fail("".join(said) + process.stderr.read())


@contextlib.contextmanager
def up(*arguments):
    with running("up", *arguments) as process:
        yield process, first_words(process, "Ctrl-C ends it")


@pytest.fixture(scope="module")
def reached():
    """One cluster that is up, and the command lines that it printed."""
    with up() as (process, said):
        yield re.findall(r"^  ([a-z]\S+ .*)$", said.partition("From another")[2], re.MULTILINE)
        process.terminate()
        process.communicate(timeout=10)


def alive(process):
    """Still running; not one that has ended, and that nobody has asked how."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def run(line):
    return subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=30)


def test_it_prints_a_line_for_every_way_to_reach_it(reached):
    for line in reached:  # else it would be luck whether all pods share the first calls
        assert ("round_robin" in line) == ("--wait-ready" in line)
    assert [line.split()[0] for line in reached] == [
        "dig", "dig", "greetlab", "grpcurl", "greetlab", "greetlab", "greet-client", "greetlab",
    ]  # fmt: skip


@pytest.mark.skipif(not shutil.which("dig"), reason="no dig: apt-get install bind9-dnsutils")
def test_the_dig_lines_work_as_printed(reached):
    counts = [len(run(line).stdout.split()) for line in reached if line.startswith("dig ")]
    assert counts == [1, 3]


def test_the_greetlab_lines_work_as_printed(reached):
    lines = [shlex.split(line)[1:] for line in reached if line.startswith("greetlab ")]
    lookup, sticky, fair, doctor = (greetlab(*line, "--json") for line in lines)
    assert len(lookup.document["addresses"]) == 3
    assert len(sticky.document["by_pod"]) == 1
    assert list(fair.document["by_pod"].values()) == [20, 20, 20]
    assert doctor.document["sticky"] is True


def test_the_greet_client_line_works_as_printed(reached):
    (line,) = (line for line in reached if line.startswith("greet-client "))
    program, *arguments = shlex.split(line)
    ended = run(shlex.join([str(executables.path(program)), *arguments]))
    assert ended.returncode == 0
    assert ended.stdout.count("Hello, Ada Lovelace") == 6


def test_what_grpcurl_asks_works(reached):
    """grpcurl is not there; what it does is: reflection, then the call, on that address."""
    (line,) = (line for line in reached if line.startswith("grpcurl "))
    _, plain, _, request, address, method = shlex.split(line)
    assert plain == "-plaintext"
    assert json.loads(request)["greeting"]["first_name"] == "Ada"
    call = """if True:
        import sys, grpc
        channel = grpc.insecure_channel(sys.argv[1], [("grpc.enable_http_proxy", 0)])
        raw = dict(request_serializer=None, response_deserializer=None)
        # list_services = "*" (field 7), as bytes
        reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        ask = channel.stream_stream(reflection, **raw)
        print(next(ask(iter([b"\\x3a\\x01*"]), timeout=10)))
        print(channel.unary_unary("/" + sys.argv[2], **raw)(b"", timeout=10))
    """
    ended = subprocess.run(
        [sys.executable, "-c", call, address, method], capture_output=True, text=True, timeout=30
    )
    services, greeting = ended.stdout.splitlines()
    assert method.split("/")[0] in services
    assert "from pod: name(pod-" in greeting


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_and_leaves_nothing(which):
    with up("--pods", "2") as (process, _):
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 3  # two pods, and the ClusterIP
        process.send_signal(which)
        said, complaint = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "ended" in said
    assert complaint == ""
    assert not any(map(alive, children))


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_ended_while_it_starts(which):
    with running("up", "--pods", "20") as process:
        starting = psutil.Process(process.pid)
        wait_until(starting.children)
        children = starting.children(recursive=True)
        process.send_signal(which)
        process.communicate(timeout=10)
    assert process.returncode == 0
    # One that was just being started was nobody's yet: it ends by its lifeline.
    wait_until(lambda: not any(map(alive, children)))


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_to_be_told_again_does_not_disturb_the_end(which):
    with up() as (process, _):
        children = psutil.Process(process.pid).children()
        process.send_signal(which)
        wait_until(lambda: not all(map(alive, children)))  # it is closing
        process.send_signal(which)
        _, complaint = process.communicate(timeout=10)
    assert process.returncode == 0
    assert complaint == ""


def test_json_is_one_document_when_it_serves():
    with running("up", "--pods", "1", "--json") as process:
        document = json.loads(_document(process))
        assert [pod["name"] for pod in document["pods"]] == ["pod-1"]
        assert greetlab("call", document["targets"]["greetserver"], "--json").status == 0
        process.terminate()
        assert process.communicate(timeout=10)[0] == ""
    assert process.returncode == 0


def _document(process):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            break
    return "".join(lines)


def test_a_reader_that_goes_away_takes_the_cluster_with_it():
    with running("up", "--pods", "1") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=10) == 141  # as of a shell's pipe: 128 + SIGPIPE
