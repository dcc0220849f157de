"""How the bench reads what h2load says."""

import pytest

from bench.measure import BrokenError
from bench.rows.h2load import calls_per_second

SAID = """\
starting benchmark...
finished in 9.92ms, 100794.27 req/s, 13.36MB/s
requests: 1000 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 135.77KB (139030) total, 35.22KB (36068) headers (saved 84.52%), 92.77KB (95000) data
"""


def test_calls_that_were_all_answered_are_a_figure():
    assert calls_per_second(SAID, 1000) == 100794.27


@pytest.mark.parametrize(
    ("instead", "of"),
    [
        (
            "status codes: 999 2xx, 0 3xx, 0 4xx, 1 5xx",
            "status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx",
        ),
        ("(5000) data", "(95000) data"),  # HTTP 200, but an error of gRPC's
        ("finished in 9.92ms", "finished in 9.92ms, 100794.27 req/s, 13.36MB/s"),
    ],
)
def test_calls_that_were_not_are_none(instead, of):
    with pytest.raises(BrokenError, match="not all of 1000 calls were answered"):
        calls_per_second(SAID.replace(of, instead), 1000)
