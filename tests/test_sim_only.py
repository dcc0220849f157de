"""The simulator alone, built without gRPC (tests/sim_only.sh); here only what both builds share."""

import ast
import re
import sys
from pathlib import Path

import pytest
from command_line import greetlab

import greetlab as gl
from greetlab import _core, executables, real

ROOT = Path(__file__).parent.parent
REAL_ROOMS = ("dns", "greet", "kube", "live", "told")

sim_only = pytest.mark.skipif(not _core.is_sim_only(), reason="all of greetlab is here")


def test_what_a_full_build_has_more_of_is_named_in_the_other():
    there = set()
    for room in REAL_ROOMS:
        text = (ROOT / "bindings" / f"bind_{room}.cc").read_text()
        there |= set(re.findall(r'py::class_<[^"]*?\(m(?:odule)?, "(\w+)"', text))
        there |= set(re.findall(r'\bm(?:odule)?\.def\(\s*"(\w+)"', text))
    absent = (ROOT / "bindings" / "bind_absent.cc").read_text()
    named = set(re.findall(r'"(\w+)"', absent.partition("module.def(name")[0]))
    assert there - {"engines"} == named


@pytest.fixture
def without_grpc(monkeypatch):
    monkeypatch.setattr(_core, "is_sim_only", lambda: True)
    monkeypatch.setattr(_core, "missing_packages", lambda: ["libgrpc++-dev", "libssl-dev"])


def test_on_linux_it_says_what_to_install(without_grpc, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(RuntimeError) as raised:
        gl.Cluster.local()
    assert str(raised.value) == (
        "Cluster.local: this greetlab is the simulator alone, built without libgrpc++-dev, "
        "libssl-dev. Cluster.sim, the playground and --in sim work. For the rest: apt-get install "
        "libgrpc++-dev libssl-dev, then pip install it again; or install a wheel of ./run wheel"
    )


def test_elsewhere_it_says_where_the_rest_runs(without_grpc, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(
        RuntimeError, match=r"For the rest: use Linux for real sockets: a container"
    ):
        executables.path("greet-client")


def test_the_doctor_says_it_too(without_grpc):
    ended = greetlab("doctor")
    said = " ".join(ended.said.split())
    assert ended.status == 1
    assert "this greetlab is the simulator alone" in said
    assert "loopback" not in said


def test_a_full_build_says_nothing_of_it():
    if not _core.is_sim_only():
        assert real.missing() is None


@sim_only
def test_every_name_of_the_stub_is_there():
    stub = ast.parse((ROOT / "bindings" / "greetlab" / "_core.pyi").read_text())
    names = {node.name for node in stub.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert not {name for name in names if name[0] != "_"} - set(dir(_core))


@sim_only
@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("Cluster.local", lambda: gl.Cluster.local()),
        ("Channel", lambda: gl.Channel("dns:///greetserver:50051")),
        ("DnsResolver", lambda: gl.DnsResolver(["127.0.0.1:53"])),
        ("greet-server", lambda: executables.path("greet-server")),
    ],
)
def test_what_is_not_there_says_so(what, call):
    with pytest.raises(RuntimeError, match=rf"^{what}: this greetlab is the simulator alone"):
        call()


@sim_only
def test_a_service_config_and_a_policy_of_ones_own_work():
    class First(gl.Policy):
        def pick(self, ready, call):
            return ready[0]

    cluster = gl.Cluster.sim(pods=3, seed=7)
    config = '{"loadBalancingConfig": [{"least_request": {"choiceCount": 3}}]}'
    for options in ({"service_config": config}, {"policy": First}):
        channel = cluster.channel("greetserver-headless", **options).wait_ready(all=True)
        assert channel.greet("Ada", times=60).ok == 60


@sim_only
def test_a_trace_is_saved_and_read_again(tmp_path):
    cluster = gl.Cluster.sim(pods=3, seed=7)
    channel = cluster.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
    assert list(channel.greet("Ada", times=60).by_pod.values()) == [20, 20, 20]
    assert cluster.lookup("greetserver-headless").ok
    channel.trace.save(tmp_path / "trace.jsonl")
    assert gl.Trace.load(tmp_path / "trace.jsonl").story() == channel.trace.story()
    gl.plot.requests(channel.trace)
    gl.Flow(channel.trace).save(tmp_path / "flow.html")


@sim_only
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["policies", "--in", "sim", "--calls", "300"], "round_robin"),
        (["compare", "--in", "sim"], "round_robin"),
        (["config", str(ROOT / "tests" / "service_configs.json")], ""),
    ],
)
def test_commands_work(words, said):
    ended = greetlab(*words)
    assert ended.status in (0, 1), ended.said
    assert said in ended.said


@sim_only
def test_the_playground_is_made(tmp_path):
    ended = greetlab("play", "--no-browser", "--out", str(tmp_path / "play.html"))
    assert ended.status == 0
    assert (tmp_path / "play.html").stat().st_size > 100_000


@sim_only
@pytest.mark.parametrize("words", [["lookup", "greetserver"], ["call", "greetserver"], ["demo"]])
def test_commands_that_need_more_say_so_and_exit_with_2(words):
    ended = greetlab(*words)
    assert ended.status == 2
    assert "this greetlab is the simulator alone" in " ".join(ended.complaint.split())
