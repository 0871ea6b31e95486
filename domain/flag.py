"""A flag: its state, what each event makes of it, and what may be decided about it."""

from dataclasses import dataclass, field, replace
from typing import assert_never

from pydantic import JsonValue

from domain import limits
from domain.errors import AlreadyExists, InUse, Invalid, NotFound
from domain.events import (
    DefaultServeChanged,
    FlagArchived,
    FlagCreated,
    FlagDetailsChanged,
    FlagEvent,
    FlagKind,
    FlagRestored,
    FlagTurnedOff,
    FlagTurnedOn,
    OffVariantChanged,
    PrerequisitesChanged,
    RuleAdded,
    RuleChanged,
    RuleMoved,
    RuleRemoved,
    TargetingEvent,
    TargetsChanged,
    VariantAdded,
    VariantChanged,
    VariantRemoved,
)
from domain.references import served_variants
from domain.rule_order import changes_of_rules, moved
from domain.targeting import (
    Serve,
    ServeCodeDefault,
    ServeVariant,
    Targeting,
)
from domain.values import FlagType, as_type, fits, same


@dataclass(frozen=True, slots=True)
class Flag:
    project: str
    key: str
    type: FlagType
    variants: dict[str, JsonValue]
    initial: Targeting
    gate_salt: str
    split_salt: str
    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    kind: FlagKind = "release"
    client_visible: bool = False
    archived: bool = False
    environments: dict[str, Targeting] = field(default_factory=dict)

    def targeting(self, environment: str) -> Targeting:
        return self.environments.get(environment, self.initial)

    def is_on(self, environment: str) -> bool:
        return self.targeting(environment).enabled


# What happened


def evolve(flag: Flag | None, event: FlagEvent) -> Flag:  # noqa: PLR0911 - one return for each sort of event
    if isinstance(event, FlagCreated):
        fields = dict(event)
        return Flag(initial=fields.pop("targeting"), **fields)
    assert flag is not None
    match event:
        case FlagArchived():
            return replace(flag, archived=True)
        case FlagRestored():
            return replace(flag, archived=False)
        case FlagDetailsChanged():
            return replace(flag, **event.model_dump(exclude_none=True))
        case VariantAdded(name=name, value=value) | VariantChanged(name=name, value=value):
            return replace(flag, variants={**flag.variants, name: value})
        case VariantRemoved(name=removed):
            return replace(flag, variants={name: v for name, v in flag.variants.items() if name != removed})
        case _:
            after = _targeting_after(flag.targeting(event.environment), event)
            return replace(flag, environments={**flag.environments, event.environment: after})


def _targeting_after(  # noqa: C901, PLR0911 - one line for each event is the table
    targeting: Targeting, event: TargetingEvent
) -> Targeting:
    match event:
        case FlagTurnedOn():
            return _with(targeting, enabled=True)
        case FlagTurnedOff():
            return _with(targeting, enabled=False)
        case OffVariantChanged(variant=variant):
            return _with(targeting, off_variant=variant)
        case DefaultServeChanged(serve=serve):
            return _with(targeting, default=serve)
        case PrerequisitesChanged(prerequisites=prerequisites):
            return _with(targeting, prerequisites=prerequisites)
        case TargetsChanged(targets=targets):
            return _with(targeting, targets=targets)
        case RuleAdded(rule=rule, after=after):
            return _with(targeting, rules=moved(targeting.rules, rule, after))
        case RuleChanged(rule=rule):
            rules = tuple(rule if each.id == rule.id else each for each in targeting.rules)
            return _with(targeting, rules=rules)
        case RuleMoved(rule_id=rule_id, after=after):
            rule = next(each for each in targeting.rules if each.id == rule_id)
            return _with(targeting, rules=moved(targeting.rules, rule, after))
        case RuleRemoved(rule_id=rule_id):
            return _with(targeting, rules=tuple(each for each in targeting.rules if each.id != rule_id))
        case _:
            assert_never(event)


def _with(targeting: Targeting, **changes: object) -> Targeting:
    return targeting.model_copy(update=changes)


# What may be decided


def create(
    flag: Flag | None,
    *,
    project: str,
    key: str,
    type: FlagType,  # noqa: A002 - the field's own name
    variants: dict[str, JsonValue],
    gate_salt: str,
    split_salt: str,
    description: str = "",
    tags: tuple[str, ...] = (),
    owner: str = "",
    kind: FlagKind = "release",
    client_visible: bool = False,
) -> tuple[FlagEvent, ...]:
    if flag is not None:
        again = (
            " (it was archived; a key is never given twice, but it can be restored)" if flag.archived else ""
        )
        raise AlreadyExists(f"flag '{key}' exists already in project '{project}'{again}")
    for name, value in variants.items():
        _refuse_misfit(type, name, value)
    _refuse_disguised_type(type, variants)
    variants = {name: as_type(type, value) for name, value in variants.items()}
    return (
        FlagCreated(
            project=project,
            key=key,
            type=type,
            variants=variants,
            targeting=first_targeting(type, variants),
            gate_salt=gate_salt,
            split_salt=split_salt,
            description=description,
            tags=tags,
            owner=owner,
            kind=kind,
            client_visible=client_visible,
        ),
    )


def _refuse_misfit(flag_type: FlagType, name: str, value: JsonValue) -> None:
    if not fits(flag_type, value):
        raise Invalid(f"variant '{name}' of a {flag_type} flag cannot have the value {value!r}")


def change_details(flag: Flag | None, details: FlagDetailsChanged) -> tuple[FlagEvent, ...]:
    """An event of those details that really differ, if any does."""
    found = live(flag)
    given = {name: getattr(details, name) for name in FlagDetailsChanged.model_fields}
    changed = {name: new for name, new in given.items() if new is not None and new != getattr(found, name)}
    return (FlagDetailsChanged(**changed),) if changed else ()


def put_variant(flag: Flag | None, *, name: str, value: JsonValue) -> tuple[FlagEvent, ...]:
    """Adds the variant, or gives it another value."""
    found = live(flag)
    _refuse_misfit(found.type, name, value)
    value = as_type(found.type, value)
    if name not in found.variants:
        if len(found.variants) >= limits.VARIANTS:
            raise Invalid(f"flag '{found.key}' has {limits.VARIANTS} variants already, and may not have more")
        return (VariantAdded(name=name, value=value),)
    changed = VariantChanged(name=name, value=value)
    return () if same(changed, VariantChanged(name=name, value=found.variants[name])) else (changed,)


def remove_variant(flag: Flag | None, *, name: str) -> tuple[FlagEvent, ...]:
    found = live(flag)
    if name not in found.variants:
        raise NotFound(f"flag '{found.key}' has no variant '{name}'; it has {', '.join(found.variants)}")
    if users := [env for env, targeting in found.environments.items() if name in served_variants(targeting)]:
        raise InUse(f"variant '{name}' is still served in {', '.join(users)}; change that first")
    if name in served_variants(found.initial):
        raise InUse(f"variant '{name}' is what flag '{found.key}' begins with in every new environment")
    return (VariantRemoved(name=name),)


def _refuse_disguised_type(flag_type: FlagType, variants: dict[str, JsonValue]) -> None:
    """An object flag holds any JSON, but not only texts, only numbers or only booleans: those have types."""
    kinds = {FlagType.BOOLEAN, FlagType.STRING, FlagType.FLOAT}
    if flag_type is not FlagType.OBJECT:
        return
    if found := [kind for kind in kinds if all(fits(kind, value) for value in variants.values())]:
        raise Invalid(f"every variant is a {found[0]}: make it a {found[0]} flag instead of an object flag")


def first_targeting(flag_type: FlagType, variants: dict[str, JsonValue]) -> Targeting:
    """Off. A boolean flag serves false when off and true when on, as its switch suggests.

    Any other flag leaves an off answer to the caller's code default and serves its first variant when on.
    """
    if flag_type is FlagType.BOOLEAN:
        by_value = {value: name for name, value in reversed(variants.items())}
        default: Serve = (
            ServeVariant(variant=by_value[True]) if True in by_value else ServeCodeDefault(code_default=True)
        )
        return Targeting(enabled=False, off_variant=by_value.get(False), default=default)
    return Targeting(enabled=False, default=ServeVariant(variant=next(iter(variants))))


def turn(flag: Flag | None, *, environment: str, on: bool) -> tuple[FlagEvent, ...]:
    if live(flag).is_on(environment) == on:
        return ()
    return (FlagTurnedOn(environment=environment) if on else FlagTurnedOff(environment=environment),)


def change_targeting(flag: Flag | None, *, environment: str, to: Targeting) -> tuple[FlagEvent, ...]:
    """One event for each thing that differs between today's targeting and `to`."""
    flag = live(flag)
    if unknown := sorted(served_variants(to) - set(flag.variants)):
        known = ", ".join(flag.variants)
        raise Invalid(f"flag '{flag.key}' has no variant '{unknown[0]}'; it has {known}")
    now = flag.targeting(environment)
    return (
        *_changes_of_switch(flag, environment, to),
        *_changes_of_parts(now, environment, to),
        *changes_of_rules(environment, now.rules, to.rules),
    )


def _changes_of_switch(flag: Flag, environment: str, to: Targeting) -> tuple[FlagEvent, ...]:
    return turn(flag, environment=environment, on=to.enabled)


def _changes_of_parts(now: Targeting, environment: str, to: Targeting) -> tuple[FlagEvent, ...]:
    changes: list[FlagEvent] = []
    if now.off_variant != to.off_variant:
        changes.append(OffVariantChanged(environment=environment, variant=to.off_variant))
    if not same(now.default, to.default):
        changes.append(DefaultServeChanged(environment=environment, serve=to.default))
    if now.prerequisites != to.prerequisites:
        changes.append(PrerequisitesChanged(environment=environment, prerequisites=to.prerequisites))
    if now.targets != to.targets:
        changes.append(TargetsChanged(environment=environment, targets=to.targets))
    return tuple(changes)


def archive(flag: Flag | None) -> tuple[FlagEvent, ...]:
    return () if existing(flag).archived else (FlagArchived(),)


def restore(flag: Flag | None) -> tuple[FlagEvent, ...]:
    return (FlagRestored(),) if existing(flag).archived else ()


def existing(flag: Flag | None, key: str = "") -> Flag:
    if flag is None:
        raise NotFound(f"there is no flag '{key}'" if key else "there is no such flag")
    return flag


def live(flag: Flag | None) -> Flag:
    flag = existing(flag)
    if flag.archived:
        raise Invalid(f"flag '{flag.key}' is archived; restore it before changing it")
    return flag
