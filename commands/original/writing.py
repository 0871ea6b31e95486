"""What the original's users want, as commands."""

from pydantic import JsonValue

from commands.models import (
    ArchiveFlag,
    ChangeFlag,
    ChangeTargeting,
    Command,
    CreateFlag,
    FlagDefinition,
    FlagDetails,
    RestoreFlag,
    TurnFlagOff,
    TurnFlagOn,
)
from commands.original.rules import RULE_ID, Variants
from commands.original.views import ENVIRONMENT, PROJECT
from domain.flag import Flag, first_targeting
from domain.targeting import Rule, Targeting
from domain.values import FlagType

ON_OFF = Variants("on", "off")
VALUES: dict[str, JsonValue] = {ON_OFF.on: True, ON_OFF.off: False}
FIRST = first_targeting(FlagType.BOOLEAN, VALUES)


def make_flag(
    name: str, archived: Flag | None, *, description: str, enabled: bool, rule: Rule | None = None
) -> list[Command]:
    """One that was deleted comes back, with the rule that outlived it; a new one has this rule."""
    switch = TurnFlagOn if enabled else TurnFlagOff
    turn = switch(project=PROJECT, flag=name, environment=ENVIRONMENT)
    if archived is None:
        ruled = [_target(name, FIRST, rule)] if rule else []
        return [_create(name, description), *ruled, turn]
    return [RestoreFlag(project=PROJECT, flag=name), _describe(name, description), turn]


def change_flag(name: str, *, description: str | None, enabled: bool | None) -> list[Command]:
    """None leaves it as it is."""
    commands: list[Command] = []
    if description is not None:
        commands.append(_describe(name, description))
    if enabled is not None:
        switch = TurnFlagOn if enabled else TurnFlagOff
        commands.append(switch(project=PROJECT, flag=name, environment=ENVIRONMENT))
    return commands


def put_rule(name: str, flag: Flag | None, rule: Rule | None) -> list[Command]:
    """A rule without its flag is kept in one that is archived: it is served to nobody until that is made."""
    if flag is None:
        return [
            _create(name, ""),
            _target(name, FIRST, rule),
            _archive(name),
        ]
    change = _target(name, flag.targeting(ENVIRONMENT), rule)
    return [RestoreFlag(project=PROJECT, flag=name), change, _archive(name)] if flag.archived else [change]


def _create(name: str, description: str) -> Command:
    definition = FlagDefinition(key=name, type=FlagType.BOOLEAN, variants=VALUES, description=description)
    return CreateFlag(project=PROJECT, definition=definition)


def _describe(name: str, description: str) -> Command:
    return ChangeFlag(project=PROJECT, flag=name, details=FlagDetails(description=description))


def _archive(name: str) -> Command:
    return ArchiveFlag(project=PROJECT, flag=name)


def _target(name: str, targeting: Targeting, rule: Rule | None) -> Command:
    """With the rule in place of the one before it, or none; everything else stays."""
    kept = [rule if each.id == RULE_ID else each for each in targeting.rules]
    if rule is not None and rule not in kept:
        kept.append(rule)
    wish = targeting.model_copy(update={"rules": tuple(each for each in kept if each is not None)})
    return ChangeTargeting(project=PROJECT, flag=name, environment=ENVIRONMENT, targeting=wish)
