"""CI for whoever keeps this repository at GitHub, and the bill of materials that it makes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.known import ROOT, documents, tool
from tests.deploy.test_image import canonical

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yaml"
DEPENDABOT = ROOT / ".github" / "dependabot.yml"
MAKEFILE = (ROOT / "Makefile").read_text()
LOCKED = re.compile(r"^([\w.-]+)==([^ ;\\]+)", re.MULTILINE)


@pytest.mark.parametrize(
    ("schema", "file"), [("vendor.github-workflows", WORKFLOW), ("vendor.dependabot", DEPENDABOT)]
)
def test_it_is_what_github_reads(schema: str, file: Path) -> None:
    checked = tool("check-jsonschema", "--builtin-schema", schema, file)
    assert checked.returncode == 0, checked.stdout


def test_nothing_in_it_can_be_turned_against_us() -> None:
    """Actions by their hashes, no rights that are not used, no text of others in commands."""
    checked = tool("zizmor", "--offline", "--no-progress", "--format", "plain", ROOT / ".github")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_calls_what_make_can_do() -> None:
    (workflow,) = documents(WORKFLOW.read_text())
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    called = {each for job in workflow["jobs"].values() for step in job["steps"] for each in made(step)}
    assert called == {"lint", "test", "test-deploy", "sbom"}
    assert called <= targets


def test_its_jobs_may_read_the_code_and_no_more() -> None:
    (workflow,) = documents(WORKFLOW.read_text())
    assert workflow["permissions"] == {}
    assert [each["permissions"] for each in workflow["jobs"].values()] == [{"contents": "read"}] * 5


def made(step: dict[str, Any]) -> list[str]:
    return re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))


def test_dependabot_looks_where_there_is_something() -> None:
    (settings,) = documents(DEPENDABOT.read_text())
    for each in settings["updates"]:
        for directory in each.get("directories", [each.get("directory")]):
            assert (ROOT / directory.lstrip("/")).is_dir()


def test_the_bill_of_materials_names_every_package_of_the_lock_with_its_hashes(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"\$\(BIN\)/(cyclonedx-py .*)", MAKEFILE)
    name, *arguments = recipe.replace("sbom.json", str(tmp_path / "sbom.json")).split()
    told = tool(name, *arguments)
    assert told.returncode == 0, told.stderr
    bill = json.loads((tmp_path / "sbom.json").read_text())
    listed = {(canonical(each["name"]), each["version"]) for each in bill["components"]}
    locked = LOCKED.findall((ROOT / "requirements.lock").read_text())
    assert len(locked) > 30
    assert listed == {(canonical(name), version) for name, version in locked}
    assert bill["metadata"]["component"]["name"] == "togglemaster"
    assert [each["name"] for each in bill["components"] if not each["externalReferences"][0]["hashes"]] == []
