"""What the whole suite shares."""

import signal

import pytest
from hypothesis import settings

# How long an example takes says nothing on a busy machine; the test has a time of its own.
settings.register_profile("greetlab", deadline=None)
settings.load_profile("greetlab")

pytest_plugins = ["quick", "told"]

# A shell has what it starts behind itself (`./run test &`) ignore Ctrl-C, and all that this starts
# in turn: then no test of an interruption could pass.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption(
        "--renew", action="store_true", help="write the golden traces anew and show what changed"
    )


@pytest.fixture
def kubectl_on_path(tmp_path, monkeypatch):
    """A scripted kubectl, as a program: tests/kube_world.py."""
    from kube_world import FakeKubectl

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("GREETLAB_CONTEXT", raising=False)
    return FakeKubectl(tmp_path)


@pytest.fixture
def kubectl(kubectl_on_path, monkeypatch):
    """The same without its processes."""
    monkeypatch.setattr("greetlab.clusters.kube.kubectl._execute", kubectl_on_path.execute)
    return kubectl_on_path


@pytest.fixture(scope="session")
def grpcio():
    """Holds the process of engine="grpcio" for as long as the session takes."""
    from greetlab.channels.grpcio import process

    worker = process.hold()
    yield
    process.release(worker)


@pytest.fixture(scope="session")
def _ipv6():
    """For who needs the right to put IPv6 addresses on the loopback interface."""
    from greetlab.clusters.local import loopback

    network = loopback.Network(255, ["v6"])  # no cluster has this number
    try:
        network.add([network.dns])
    except OSError as error:
        pytest.skip(str(error))
    finally:
        network.close()


@pytest.fixture(autouse=True)
def _one_grpcio(request):
    """Tests of which "grpcio" is a parameter share that process, which takes a while to start."""
    if "grpcio" in getattr(getattr(request.node, "callspec", None), "params", {}).values():
        request.getfixturevalue("grpcio")
