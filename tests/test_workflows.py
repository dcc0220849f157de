"""The workflows of .github, which run elsewhere: what can be said of them here."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def steps(workflow):
    told = yaml.safe_load(workflow.read_text())
    return [step for job in told["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_have_a_version_and_programs_of_ours_exist(workflow):
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+(\.\d+){0,2}", step.get("uses", "a/b@v1"))
        for program in re.findall(r"(?:^|[ \n])(\.(?:/|ci/)\w+)", step.get("run", "")):
            assert (ROOT / program).stat().st_mode & 0o100, program


def test_the_cluster_that_is_made_is_the_one_that_is_asked():
    made, asked = {}, ""
    for step in steps(ROOT / ".github/workflows/kubernetes.yml"):
        made |= step.get("with", {})
        asked += step.get("run", "")
    assert f"GREETLAB_CONTEXT=kind-{made['cluster_name']} " in asked
    assert f"--name {made['cluster_name']}\n" in asked
    assert f"node {made['cluster_name']}-control-plane " in asked
    nodes = yaml.safe_load((ROOT / made["config"]).read_text())["nodes"]
    assert [node["role"] for node in nodes] == ["control-plane", "worker", "worker"]
