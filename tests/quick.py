"""`./run test --quick`: what needs no process, no socket and no browser, in less than a minute.

Nobody keeps a list of those. A test that starts a process, opens a socket or a real channel is
skipped there and then, in whichever thread or fixture it does, so what is left is quick whatever is
written tomorrow. A plugin of pytest's (conftest.py has it).
"""

import contextlib
import signal
import socket
import subprocess
import warnings

import pytest

from greetlab import _core

_refused: list[str] = []
"""What the test that runs now was refused."""


def pytest_addoption(parser):
    parser.addoption(
        "--quick", action="store_true", help="skip what starts a process or opens a socket"
    )


def pytest_configure(config):
    if not config.getoption("quick"):
        return
    config.option.reportchars = "fE"  # not each of the skipped ones
    # One that is skipped in its midst leaves what it has opened.
    config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnraisableExceptionWarning")
    config.addinivalue_line("filterwarnings", "ignore::ResourceWarning")
    patch = pytest.MonkeyPatch()
    # Timers of tests that were skipped in their midst send it when nobody waits for it any more.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    class Socket(socket.socket):
        def __init__(self, family=-1, *rest, **options):
            if family in (socket.AF_INET, socket.AF_INET6, -1) and "fileno" not in options:
                _refuse("it opens a socket")
            super().__init__(family, *rest, **options)  # an event loop's own

    patch.setattr(socket, "socket", Socket)

    class Popen(subprocess.Popen):
        def __init__(self, *_, **__):
            _refuse("it starts a process")

    patch.setattr(subprocess, "Popen", Popen)
    # Of the core's classes none can be inherited from.
    for name in ("DnsResolver", "open_channel"):
        patch.setattr(_core, name, lambda *_, **__: _refuse("it opens sockets"))
    with contextlib.suppress(ImportError):
        from playwright import sync_api

        patch.setattr(sync_api, "sync_playwright", lambda: _refuse("it opens a browser"))
    config.add_cleanup(patch.undo)


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config):
    if config.getoption("quick"):
        warnings.simplefilter("ignore")  # of the last ones' leavings, too


def _refuse(what):
    _refused.append(what)
    pytest.skip(f"--quick: {what}", allow_module_level=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if item.config.getoption("quick"):
        # It was refused in a thread, or went on all the same.
        if _refused and (report.failed or (report.when == "call" and report.passed)):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1], f"--quick: {_refused[0]}")
        if call.when == "teardown":
            _refused.clear()
    return report
