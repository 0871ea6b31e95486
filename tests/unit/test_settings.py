"""What the environment says, under our names and the original system's."""

import pytest

from deploy.settings import ORIGINAL_NAMES, BadSettings, Settings, read_settings

GIVEN = {
    "MASTER_KEY": "a master key",
    "DATABASE_URL": "postgresql://them@db/auth_db",
    "REDIS_URL": "redis://cache:6379/1",
    "AWS_REGION": "sa-east-1",
    "PORT": "9000",
}
READ = {name: int(GIVEN[given]) if name == "port" else GIVEN[given] for name, given in ORIGINAL_NAMES.items()}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TOGGLEMASTER_{name.upper()}", raising=False)
    for name in ORIGINAL_NAMES.values():
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def read() -> dict[str, object]:
    return {name: getattr(Settings(), name) for name in ORIGINAL_NAMES}


def defaults() -> dict[str, object]:
    return {name: Settings.model_fields[name].default for name in ORIGINAL_NAMES}


def test_the_original_systems_names_are_accepted(environment: pytest.MonkeyPatch) -> None:
    assert read() == defaults()
    for name, value in GIVEN.items():
        environment.setenv(name, value)
    assert read() == READ


@pytest.mark.parametrize("name", ORIGINAL_NAMES)
def test_our_own_name_wins_unless_it_is_empty(environment: pytest.MonkeyPatch, name: str) -> None:
    for given, value in GIVEN.items():
        environment.setenv(given, value)
    environment.setenv(f"TOGGLEMASTER_{name.upper()}", "8123")
    assert str(getattr(Settings(), name)) == "8123"
    environment.setenv(f"TOGGLEMASTER_{name.upper()}", "")
    assert read() == READ
    environment.setenv(ORIGINAL_NAMES[name], "")
    assert getattr(Settings(), name) == defaults()[name]


def test_what_a_program_gives_wins_over_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", GIVEN["DATABASE_URL"])
    assert Settings(postgres_url="postgresql://here").postgres_url == "postgresql://here"


def test_an_empty_variable_is_as_good_as_none(environment: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        environment.setenv(f"TOGGLEMASTER_{name.upper()}", "")
    assert Settings() == Settings.model_construct()


def test_more_ports_are_written_with_commas(environment: pytest.MonkeyPatch) -> None:
    assert Settings().also_ports == ()
    environment.setenv("TOGGLEMASTER_ALSO_PORTS", "8001,8002, 8003")
    assert Settings().also_ports == (8001, 8002, 8003)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TOGGLEMASTER_ALSO_PORTS", "8001;8002"), ("TOGGLEMASTER_PORT", "http"), ("PORT", "tcp://10.0.0.1:80")],
)
def test_a_value_that_cannot_be_is_told_by_its_variable_and_not_shown(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    with pytest.raises(BadSettings) as refusal:
        read_settings()
    assert f" {variable}: " in str(refusal.value)
    assert value not in str(refusal.value)
