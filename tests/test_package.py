"""The installed package: what is in it, and what importing it does and does not do."""

import re
import subprocess
import sys
from importlib.metadata import entry_points, version
from importlib.resources import files
from pathlib import Path

import pytest

import greetlab
from greetlab import _core, executables

ROOT = Path(__file__).parent.parent


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    ).stdout


def test_it_carries_what_it_needs():
    package = files("greetlab")
    assert (package / "py.typed").is_file()
    assert (package / "_core.pyi").is_file()
    for name in ("greet-server", "greet-client", "greet-gateway", "clusterip"):
        said = subprocess.run(
            [executables.path(name), "--version"], capture_output=True, text=True, env={}
        )
        assert said.stdout.strip() == version("greetlab")


def test_the_client_carries_nothing_of_grpc():
    """It goes into pods, where gRPC's own channel has nothing to do; greet-server shows how it
    would look."""

    def libraries(name):
        ldd = ["ldd", executables.path(name)]
        said = subprocess.run(ldd, capture_output=True, text=True, check=True).stdout
        return {line.split()[0] for line in said.splitlines()}

    foreign = re.compile(r"lib(grpc|gpr|absl|upb|address_sorting|re2)")
    assert any(map(foreign.match, libraries("greet-server")))
    assert not any(map(foreign.match, libraries("greet-client")))


def test_a_missing_executable_is_named():
    with pytest.raises(FileNotFoundError, match=r"'greet-sever' is not at .*install the package"):
        executables.path("greet-sever")


def test_the_console_script_is_the_server_itself():
    scripts = {script.name for script in entry_points(group="console_scripts")}
    assert {"greetlab", "greet-server", "greet-client", "greet-gateway"} <= scripts
    script = Path(sys.executable).with_name("greet-server")
    said = subprocess.run([script, "--help"], capture_output=True, text=True)
    assert "--max-connection-age" in said.stdout


def test_the_extension_shows_nothing_but_its_entry():
    symbols = subprocess.run(
        ["nm", "--dynamic", "--defined-only", _core.__file__],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [line.split()[-1] for line in symbols.splitlines()] == ["PyInit__core"]


def test_importing_is_light():
    heavy = python(
        "import sys, threading, greetlab\n"
        "print([m for m in ('matplotlib', 'dns', 'rich', 'typer', 'asyncio', 'IPython',\n"
        "       'greetlab.clusters.kube') if m in sys.modules], threading.active_count())\n"
    )
    assert heavy.strip() == "[] 1"


def test_importing_starts_no_thread_of_the_cores_either():
    code = """
import os, numpy  # numpy has threads of its own
before = os.listdir("/proc/self/task")
import greetlab
print(os.listdir("/proc/self/task") == before)
"""
    assert python(code).strip() == "True"


@pytest.mark.parametrize("order", ["grpc, greetlab", "greetlab, grpc"])
def test_pypis_grpcio_may_share_the_process(order):
    code = f"""
import {order}
import greetlab as gl
with gl.Cluster.local(pods=1) as cluster:
    with cluster.channel("greetserver") as channel:
        print(channel.greet("A").ok)
    address = f"{{cluster.pods[0].ip}}:{{cluster.port}}"
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        print(b"Hello" in channel.unary_unary("/greet.GreetService/Greet")(b"", timeout=5))
"""
    assert python(code).split() == ["1", "True"]


def test_the_examples_of_the_readme_and_of_its_python_page_run_as_they_stand():
    shown = (ROOT / "README.md").read_text() + (ROOT / "docs" / "python.md").read_text()
    examples = [part.split("```")[0] for part in shown.split("```python\n")[1:]]
    first, second, third, own_policy, overloaded, on_kubernetes, predicted = examples
    compile(on_kubernetes, "docs/python.md", "exec")  # tests/kube does the like
    assert "because" in python(second)
    told = python(third)
    for engine in ("lab", "grpc"):
        assert f"{engine} {{'pod-1': 20, 'pod-2': 20, 'pod-3': 20}}" in told
    assert "call 1 was answered by pod-" in told
    assert python(own_policy).count("300 calls · 300 OK · 3 connections") == 3
    assert "'RESOURCE_EXHAUSTED': " in python(overloaded)
    guessed = python(predicted)
    assert "40 requests would have to move" in guessed
    assert "FAIL    03.turns: all 60 calls went to pod-" in guessed
    said = python(first)
    for claim in ("60 calls · 60 OK · 1 connection", "60 calls · 60 OK · 3 connections"):
        assert claim in said
    assert said.count("      20  ") == 3


def test_the_docstring_of_the_package_is_that_example_in_short():
    assert 'cluster.channel("greetserver-headless", policy="round_robin")' in greetlab.__doc__
