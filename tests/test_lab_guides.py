"""The labs' guides, as texts."""

import re

import pytest
from kube_world import ROOT

from greetlab.lessons.labs import all_labs

GUIDES = sorted((ROOT / "labs").glob("**/*.md"))


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_no_guide_has_a_gap_that_a_run_was_to_fill(guide):
    """`@NAME@` is how one is written before there is something to paste."""
    assert re.findall(r"@[A-Z][A-Z0-9_]*@", guide.read_text()) == []


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_every_file_that_a_guide_points_to_is_there(guide):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", guide.read_text())
    assert [link for link in links if not (guide.parent / link).exists()] == []


def test_the_table_has_every_lab():
    table = (ROOT / "labs" / "README.md").read_text()
    for lab in all_labs().values():
        assert f"({lab.number:02}_{lab.name}/README.md)" in table
