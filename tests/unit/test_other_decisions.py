"""Projects, segments and keys."""

from functools import partial

import pytest

from domain import access, project, segment
from domain.access import ApiKey, assemble, is_well_formed
from domain.errors import AlreadyExists, NotFound
from domain.events import (
    ApprovalsChanged,
    EnvironmentCreated,
    EnvironmentRenamed,
    KeyIssued,
    KeyRevoked,
    ProjectCreated,
    ProjectRenamed,
    RecordingChanged,
    SegmentArchived,
    SegmentChanged,
    SegmentCreated,
)
from domain.project import Project, require_environment
from domain.recording import Recording
from domain.segment import SegmentDefinition
from domain.targeting import Constant
from tests.unit.decisions import given

PROJECT = (
    ProjectCreated(project="shop", name="Shop"),
    EnvironmentCreated(environment="development", name="Development"),
    EnvironmentCreated(environment="staging", name="Staging"),
    EnvironmentCreated(environment="production", name="Production"),
)
DEFINITION = SegmentDefinition(name="Beta", include=("u1",), condition=Constant(constant=False))
SEGMENT = SegmentCreated(project="shop", key="beta", salt="s", **dict(DEFINITION))
KEY = KeyIssued(project="shop", environment="production", id="k", name="web", kind="server", digest="d")
put = partial(segment.put, project="shop", key="beta", salt="s")


def test_a_project_begins_with_three_environments() -> None:
    given("project").when(project.create, key="shop", name="Shop").then(*PROJECT)
    given("project", *PROJECT).when(project.create, key="shop", name="Shop").refuses(AlreadyExists, "'shop'")


def test_an_environment_is_created_once() -> None:
    create = partial(project.create_environment, key="qa")
    qa = EnvironmentCreated(environment="qa", name="QA")
    given("project", *PROJECT).when(create, name="QA").then(qa)
    given("project", *PROJECT, qa).when(create, name="QA").stays_quiet()
    given("project", *PROJECT, qa).when(create, name="Other").refuses(AlreadyExists, "'QA'")
    given("project").when(create, name="QA").refuses(NotFound)


def test_a_project_is_renamed() -> None:
    given("project", *PROJECT).when(project.rename, name="Store").then(ProjectRenamed(name="Store"))
    given("project", *PROJECT, ProjectRenamed(name="Store")).when(project.rename, name="Store").stays_quiet()


def test_an_environment_is_renamed_and_asks_for_approvals() -> None:
    change = partial(project.change_environment, key="staging")
    renamed = EnvironmentRenamed(environment="staging", name="Stage")
    two, none = (ApprovalsChanged(environment="staging", approvals=number) for number in (2, 0))
    given("project", *PROJECT).when(change, name="Stage", approvals=2).then(renamed, two)
    given("project", *PROJECT, renamed, two).when(change, name="Stage", approvals=2).stays_quiet()
    given("project", *PROJECT, two).when(change, name=None, approvals=None).stays_quiet()
    given("project", *PROJECT, two).when(change, name=None, approvals=0).then(none)
    given("project", *PROJECT, two, none).when(change, name=None, approvals=0).stays_quiet()
    given("project", *PROJECT).when(project.change_environment, key="qa", name="QA", approvals=None).refuses(
        NotFound, "'qa'"
    )


def test_what_is_recorded_in_an_environment_is_changed_as_a_whole() -> None:
    change = partial(project.change_environment, key="staging")
    exposures, nothing = Recording(mode="exposures", attributes=("country",)), Recording(mode="none")
    begun = RecordingChanged(environment="staging", recording=exposures)
    given("project", *PROJECT).when(change, recording=exposures).then(begun)
    given("project", *PROJECT).when(change, recording=Recording()).stays_quiet()
    given("project", *PROJECT, begun).when(change, recording=exposures).stays_quiet()
    given("project", *PROJECT, begun).when(change, recording=nothing).then(
        RecordingChanged(environment="staging", recording=nothing)
    )


def test_an_unknown_environment_is_named_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="no environment 'qa'; it has production"):
        require_environment(Project("shop", "Shop", {"production": "Production"}), "qa")


def test_a_segment_is_made_changed_and_archived() -> None:
    given("segment").when(put, definition=DEFINITION).then(SEGMENT)
    given("segment", SEGMENT).when(put, definition=DEFINITION).stays_quiet()
    other = DEFINITION.model_copy(update={"exclude": ("u2",)})
    changed = SegmentChanged(**dict(other))
    given("segment", SEGMENT).when(put, definition=other).then(changed)
    given("segment", SEGMENT, changed).when(put, definition=other).stays_quiet()
    given("segment", SEGMENT).when(segment.archive).then(SegmentArchived())
    given("segment", SEGMENT, SegmentArchived()).when(segment.archive).stays_quiet()
    given("segment").when(segment.archive).refuses(NotFound)
    given("segment", SEGMENT, SegmentArchived()).when(put, definition=DEFINITION).refuses(AlreadyExists)


def test_a_key_is_revoked_once() -> None:
    given("key", KEY).when(access.revoke).then(KeyRevoked())
    given("key", KEY, KeyRevoked()).when(access.revoke).stays_quiet()
    given("key").when(access.revoke).refuses(NotFound)
    assert given("key", KEY).state == ApiKey("shop", "production", "k", "web", "server", "d")


def test_a_key_with_one_wrong_letter_is_no_key() -> None:
    key = assemble("server", "A" * 10, "b" * 32)
    assert is_well_formed(key)
    for place in range(len(key)):
        wrong = "Z" if key[place] != "Z" else "Y"
        assert not is_well_formed(key[:place] + wrong + key[place + 1 :])


@pytest.mark.parametrize("text", ["", "tm_key_0123", "tm_server_a_b", "tm_server_AAAAAAAAAA_é", "_" * 60])
def test_what_cannot_be_a_key(text: str) -> None:
    assert not is_well_formed(text)
