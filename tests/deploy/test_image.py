"""The image: what it is made of, who it runs as, and that it has what the processes need and no more."""

import fnmatch
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import distribution, packages_distributions
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

from tests.deploy.known import PINNED, ROOT, setting_names, tool

DOCKERFILES = ("Dockerfile", "deploy/local-aws.Dockerfile")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {each.removesuffix("*") for each in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
PROCESSES = ("consumer", "evaluation", "http", "management", "projector", "scheduler", "setup", "webhooks")


class Instruction(NamedTuple):
    name: str
    arguments: str


def instructions(dockerfile: str) -> list[Instruction]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / dockerfile).read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]


def arguments_of(name: str, dockerfile: str = "Dockerfile") -> list[str]:
    return [each.arguments for each in instructions(dockerfile) if each.name == name]


def environment() -> dict[str, str]:
    return dict(each.split("=", 1) for each in arguments_of("ENV")[-1].split())


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_the_linter_has_nothing_to_say(dockerfile: str) -> None:
    linted = tool("hadolint", dockerfile)
    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_what_it_is_built_on_is_pinned(dockerfile: str) -> None:
    bases = {each.split()[0] for each in arguments_of("FROM", dockerfile)}
    assert len(bases) == 1, "both stages have the same Python"
    assert PINNED.fullmatch(bases.pop())


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_it_runs_as_a_user_by_number_which_kubernetes_can_check(dockerfile: str) -> None:
    user, group = arguments_of("USER", dockerfile)[-1].split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_it_starts_our_command_line() -> None:
    (name,) = PROJECT["project"]["scripts"]
    assert arguments_of("ENTRYPOINT") == [f'["{name}"]']


def test_it_is_of_the_version_that_it_says() -> None:
    assert f"VERSION={PROJECT['project']['version']}" in arguments_of("ARG")


def test_each_of_our_packages_is_in_it_and_sent_to_be_built() -> None:
    copied = {name for each in arguments_of("COPY") if "--from" not in each for name in each.split()[:-1]}
    assert copied >= PACKAGES
    assert {name for name in copied if not (ROOT / name).exists()} == set()
    assert {name for name in copied if not is_sent(name)} == set()


def is_sent(path: str) -> bool:
    """As Docker reads .dockerignore: the last line that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and fnmatch.fnmatch(path, line.removeprefix("!")):
            sent = line.startswith("!")
    return sent


def test_nothing_secret_or_large_is_sent_to_be_built() -> None:
    for path in (".git", ".venv", ".env", "tests", "docs", "deploy/terraform", "requirements-dev.lock"):
        assert not is_sent(path), path


def test_what_it_installs_is_locked_with_hashes_and_leaves_out_what_is_for_laptops() -> None:
    assert any("--require-hashes" in each and "-r requirements.lock" in each for each in arguments_of("RUN"))
    recipes = [
        line for line in (ROOT / "Makefile").read_text().splitlines() if "-o requirements.lock" in line
    ]
    assert len(recipes) == 1
    assert not re.search(r"--extra (local|dev|engines|serving)\b", recipes[0])


def test_its_settings_exist_and_what_it_writes_to_is_its_own() -> None:
    ours = {name: value for name, value in environment().items() if name.startswith("TOGGLEMASTER_")}
    assert set(ours) - setting_names() == set()
    made = re.search(r"install -d -m 0700 -o 10001 -g 10001 (.+)", arguments_of("RUN")[-1])
    assert made
    assert set(made[1].split()) == {value for name, value in ours.items() if name.endswith("_DIR")}


def test_every_process_can_be_built_from_what_the_image_has() -> None:
    hide = f"sys.modules.update(dict.fromkeys({sorted(lacking())!r}))"  # None there is "not to be found"
    processes = ", ".join(f"deploy.processes.{each}" for each in PROCESSES)
    built = subprocess.run(
        [sys.executable, "-c", f"import sys; {hide}; import boto3, deploy.cli, {processes}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")


@cache
def lacking() -> set[str]:
    """The modules that are installed here and not in the image."""
    found = {
        module
        for module, owners in packages_distributions().items()
        if not {canonical(owner) for owner in owners} & brought()
    }
    assert "ministack" in found
    return found


@cache
def brought() -> frozenset[str]:
    """The distributions that installing us brings, if none of our extras is asked for."""
    pending = [Requirement(each) for each in PROJECT["project"]["dependencies"]]
    names, seen = {"togglemaster"}, set[str]()
    while pending:
        wanted = pending.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        names.add(canonical(wanted.name))
        needs = map(Requirement, distribution(wanted.name).requires or ())
        pending += [each for each in needs if applies(each, {"", *wanted.extras})]
    return frozenset(names)


def applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
