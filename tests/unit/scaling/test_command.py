"""`togglemaster simulate scaling` as it is typed."""

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.told import Told

SCALING = (Path(__file__).parents[3] / "docs/scaling.md").read_text()
ROW = re.compile(
    r"^\| `((?:daily|black|spike|steady)[^`]*)` \| (.+?) \| (.+?) \| (.+?), (.+?) \| (yes|no) \|$", re.M
)
PNG = b"\x89PNG\r\n\x1a\n"


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", "scaling", *arguments], env={"COLUMNS": "200"})


def test_it_prints_figures_and_verdict_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "day.png"
    ended = simulate("steady", "--peak", "1000", "--picture", str(picture))
    assert ended.exit_code == 0, ended.output
    assert "3,600,000 evaluations" in ended.output
    assert "The limits hold" in ended.output
    assert picture.read_bytes().startswith(PNG)
    width, height = (int.from_bytes(picture.read_bytes()[at : at + 4]) for at in (16, 20))
    assert (width, height) == (1_560, 1_032)


def test_it_exits_1_when_a_limit_does_not_hold() -> None:
    ended = simulate("spike", "--evaluation-max", "3")
    assert ended.exit_code == 1
    assert "3 replicas, the maximum, are too few" in ended.output


def test_traffic_can_be_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "sale.csv"
    file.write_text("0,10\n100,10\n")
    assert "1,000 evaluations" in simulate("--csv", str(file)).output


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    wrong = simulate("--evaluation-min", "5", "--evaluation-max", "4")
    assert isinstance(wrong.exception, Told)
    assert "--evaluation-min is 5, which is more than --evaluation-max, 4" in str(wrong.exception)
    nowhere = simulate("steady", "--picture", str(tmp_path / "none" / "day.png"))
    assert isinstance(nowhere.exception, Told)
    assert "No such file or directory" in str(nowhere.exception)


def test_without_matplotlib_it_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    ended = simulate("steady", "--picture", str(tmp_path / "day.png"))
    assert "The limits hold" in ended.output
    assert isinstance(ended.exception, Told)
    assert "pip install 'togglemaster[pictures]'" in str(ended.exception)


@pytest.mark.parametrize("row", ROW.findall(SCALING), ids=lambda row: str(row[0]))
def test_the_documentation_says_what_the_command_does(row: tuple[str, ...]) -> None:
    arguments, evaluators, consumers, evaluation_wait, message_wait, holds = row
    ended = simulate(*arguments.split())
    assert ended.exit_code == (holds == "no")
    assert re.search(rf"replicas, least to most +│ +{evaluators} │ +{consumers} │", ended.output), (
        ended.output
    )
    assert re.search(rf"longest wait +│ +{evaluation_wait} │ +{message_wait} │", ended.output), ended.output


def test_the_documentation_has_simulations() -> None:
    assert len(ROW.findall(SCALING)) >= 5
