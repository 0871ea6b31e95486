"""Routes of flags and of their targeting in each environment."""

from fastapi import APIRouter, status
from pydantic import BaseModel, JsonValue

from api.http import StrictRoute
from api.management.context import Lister, Write, Writer
from api.management.moments import PastReader
from api.management.shapes import FlagAnswer, FlagPage, flag_answer
from commands.models import (
    ArchiveFlag,
    ChangeFlag,
    ChangeTargeting,
    Command,
    CreateFlag,
    FlagDefinition,
    FlagDetails,
    PutVariant,
    RemoveVariant,
    RestoreFlag,
    TurnFlagOff,
    TurnFlagOn,
)
from domain.aggregates import fold_all
from domain.envelope import flag_stream, project_stream
from domain.flag import Flag
from domain.project import Project, require_environment
from domain.references import flags_asked
from domain.targeting import Targeting
from domain.values import FlagKey, Model, Slug, VariantName

router = APIRouter(prefix="/projects/{project}/flags", tags=["flags"], route_class=StrictRoute)


def _give(write: Write, project: str, command: Command) -> FlagAnswer:
    folded = write.give(command)
    found = fold_all(write.parts.store.load(project_stream(project)))
    assert found is not None
    assert isinstance(found.state, Project)
    return flag_answer(folded, found.state)


@router.post("", status_code=status.HTTP_201_CREATED)
def create_flag(project: Slug, body: FlagDefinition, write: Writer) -> FlagAnswer:
    """Makes a flag. It is off in every environment; a key is never given twice."""
    return _give(write, project, CreateFlag(project=project, definition=body))


@router.get("")
def list_flags(project: Slug, listing: Lister, read: PastReader) -> FlagPage:
    """In the order of their keys, unless `sort` says otherwise."""
    found = read.project(project)
    if read.at is None:
        (page, after), position = listing.of("flag", project), listing.position
    else:
        (page, after), position = listing.then(read.past(project).flags), read.at
    return FlagPage(flags=[flag_answer(each, found) for each in page], next=after, position=position)


@router.get("/{key}")
def get_flag(project: Slug, key: FlagKey, read: PastReader) -> FlagAnswer:
    found = read.project(project)
    return flag_answer(read.one(flag_stream(project, key), f"flag '{key}' in project '{project}'"), found)


@router.patch("/{key}")
def change_flag(project: Slug, key: FlagKey, body: FlagDetails, write: Writer) -> FlagAnswer:
    """Changes what is said about the flag; what is absent stays as it is."""
    return _give(write, project, ChangeFlag(project=project, flag=key, details=body))


class VariantValue(Model):
    value: JsonValue


@router.put("/{key}/variants/{name}")
def put_variant(
    project: Slug, key: FlagKey, name: VariantName, body: VariantValue, write: Writer
) -> FlagAnswer:
    """Adds a variant, or gives it another value. It changes what every environment serves it as."""
    return _give(write, project, PutVariant(project=project, flag=key, name=name, value=body.value))


@router.delete("/{key}/variants/{name}")
def remove_variant(project: Slug, key: FlagKey, name: VariantName, write: Writer) -> FlagAnswer:
    """409 while any environment serves the variant or another flag asks for it."""
    return _give(write, project, RemoveVariant(project=project, flag=key, name=name))


@router.delete("/{key}")
def archive_flag(project: Slug, key: FlagKey, write: Writer) -> FlagAnswer:
    """Takes the flag out of use; its history stays. 409 while another flag asks for it."""
    return _give(write, project, ArchiveFlag(project=project, flag=key))


@router.post("/{key}/restore")
def restore_flag(project: Slug, key: FlagKey, write: Writer) -> FlagAnswer:
    """Brings an archived flag back as it was."""
    return _give(write, project, RestoreFlag(project=project, flag=key))


class FlagNeeded(BaseModel):
    """A flag that asks in this environment what the other one serves; `variants` are those it asks about."""

    flag: str
    environment: str
    variants: list[str]


class FlagUses(BaseModel):
    flags: list[FlagNeeded]


@router.get("/{key}/used-by")
def flag_uses(project: Slug, key: FlagKey, read: PastReader) -> FlagUses:
    """The flags, by environment, that need this one or ask about it in a rule."""
    read.one(flag_stream(project, key), f"flag '{key}' in project '{project}'")
    found = [
        FlagNeeded(flag=other.key, environment=environment, variants=sorted(asked[key]))
        for folded in read.past(project).flags.values()
        if isinstance(other := folded.state, Flag) and not other.archived
        for environment, targeting in other.environments.items()
        if key in (asked := flags_asked(targeting))
    ]
    return FlagUses(flags=sorted(found, key=lambda use: (use.flag, use.environment)))


@router.get("/{key}/environments/{environment}")
def get_targeting(project: Slug, key: FlagKey, environment: Slug, read: PastReader) -> Targeting:
    require_environment(read.project(project), environment)
    flag = read.one(flag_stream(project, key), f"flag '{key}' in project '{project}'").state
    assert isinstance(flag, Flag)
    return flag.targeting(environment)


@router.put("/{key}/environments/{environment}")
def change_targeting(
    project: Slug, key: FlagKey, environment: Slug, body: Targeting, write: Writer
) -> FlagAnswer:
    """Replaces the targeting; the log gets one event for each thing that really changed."""
    command = ChangeTargeting(project=project, flag=key, environment=environment, targeting=body)
    return _give(write, project, command)


@router.post("/{key}/environments/{environment}/on")
def turn_on(project: Slug, key: FlagKey, environment: Slug, write: Writer) -> FlagAnswer:
    return _give(write, project, TurnFlagOn(project=project, flag=key, environment=environment))


@router.post("/{key}/environments/{environment}/off")
def turn_off(project: Slug, key: FlagKey, environment: Slug, write: Writer) -> FlagAnswer:
    return _give(write, project, TurnFlagOff(project=project, flag=key, environment=environment))
