"""What calls say beside their message: in both worlds, with both engines, on the command lines."""

import re
import subprocess

import pytest
from command_line import greetlab
from http2_server import serving

import greetlab as gl
from greetlab import executables

ENGINES = ("lab", "grpc")


def hearing(headers):
    """A server that answers, and writes down what of the given names each call said."""
    said = []

    def script(peer):
        while True:
            stream = peer.request()
            said.append([peer.headers[stream].get(name.encode()) for name in headers])
            peer.answer(stream)

    return script, said


@pytest.mark.parametrize("engine", ENGINES)
def test_each_call_says_it_text_as_it_is_and_bytes_in_base64(engine):
    script, said = hearing(["user-id", "trace-bin"])
    with serving(script) as target, gl.Channel(target, engine=engine) as channel:
        given = {"user-id": "ada", "trace-bin": b"\x00\xff"}
        assert channel.greet(times=2, metadata=given).ok == 2
        assert channel.greet().ok == 1
        channel.call_method("/a.B/C", metadata=given)
    assert said == [[b"ada", b"AP8"]] * 2 + [[None, None]] + [[b"ada", b"AP8"]]


@pytest.mark.parametrize("engine", ENGINES)
def test_call_after_call_says_the_next_of_the_keys(engine):
    script, said = hearing(["user-id", "zone"])
    with serving(script) as target, gl.Channel(target, engine=engine) as channel:
        calls = channel.load(7, 1, metadata={"zone": "north"}, keys={"user-id": 3})
    assert calls.ok == 7
    assert said == [[str(1 + n % 3).encode(), b"north"] for n in range(7)]


def test_keys_of_calls_side_by_side_are_all_there():
    script, said = hearing(["user-id"])
    with serving(script) as target, gl.Channel(target) as channel:
        assert channel.load(40, 8, keys={"user-id": 20}).ok == 40
    assert sorted(int(one) for (one,) in said) == sorted(2 * list(range(1, 21)))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"metadata": {"User-Id": "ada"}}, "metadata 'User-Id': a name is of a to z"),
        ({"metadata": {"grpc-timeout": "1S"}}, "does not begin with grpc-"),
        ({"metadata": {"user-id": "ädä"}}, "bytes need a name that ends with -bin"),
        ({"metadata": {f"a{n}": "b" for n in range(9)}}, "metadata: more than 8"),
        ({"metadata": {"user-id": 7}}, "its value 7 is a text, or bytes"),
        ({"metadata": "user-id"}, "{name: value}, or pairs"),
        ({"keys": {"User-Id": 3}}, "a name is of a to z"),
        ({"keys": {"user-id": 0}}, "keys 'user-id' 0: it is 1 at least"),
        ({"keys": {"a": 1, "b": 1}}, "one header, and how many values"),
        ({"keys": {"user-id": 3}, "metadata": {"user-id": "ada"}}, "has a value for it already"),
    ],
)
@pytest.mark.parametrize("world", ["LOCAL", "SIM"])
def test_what_cannot_be_said_is_refused_in_words(world, how, why):
    local = world == "LOCAL"
    channel = gl.Channel("static:127.0.0.1:1") if local else gl.Cluster.sim().channel("greetserver")
    with channel, pytest.raises((ValueError, TypeError), match=re.escape(why)):
        channel.load(1, **how)


def test_a_picker_of_the_sim_sees_it():
    """ring_hash goes by it: see test_ring_hash.py."""
    ring = {"ring_hash_experimental": {"requestHashHeader": "user-id"}}
    channel = gl.Cluster.sim(pods=5, seed=1).channel("greetserver-headless", policy=ring)
    assert len(channel.greet(times=20, metadata={"user-id": "ada"}).by_pod) == 1
    begun = channel.start(20, keys={"user-id": 10})
    channel._cluster.run(1)
    assert len(channel.calls(begun).by_pod) > 1


def test_the_command_lines_have_it():
    script, said = hearing(["zone", "user-id"])
    with serving(script) as target:
        flags = ["--metadata", "zone=north", "--keys", "user-id=2", "-n", "3"]
        subprocess.run([executables.path("greet-client"), target, *flags], check=True)
        assert greetlab("call", target, *flags).status == 0
    assert said == 2 * [[b"north", b"1"], [b"north", b"2"], [b"north", b"1"]]


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--metadata", "zone"], "NAME=VALUE is expected"),
        (["--metadata", "Zone=north"], "a name is of a to z"),
        (["--keys", "user-id=many"], "how many? user-id=1000"),
    ],
)
def test_what_makes_no_sense_there_is_one_sentence(flags, why):
    client = subprocess.run(
        [executables.path("greet-client"), "static:127.0.0.1:1", *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (client.returncode, why in client.stderr) == (2, True), client.stderr
    ended = greetlab("call", "static:127.0.0.1:1", *flags)
    assert (ended.status, why in ended.complaint) == (2, True), ended.complaint
