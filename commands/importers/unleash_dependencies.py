"""What a feature of Unleash asks of others: that a parent is on, serves some variant, or is off."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from commands.importers.imported import ImportedFlag, Unsayable
from commands.importers.saying import ALWAYS
from commands.importers.unleash_constraints import Notes
from commands.importers.unleash_document import Dependency, Feature
from commands.importers.unleash_variants import OFF, Names
from domain.references import served_variants
from domain.targeting import (
    Condition,
    FlagIs,
    Prerequisite,
    Rule,
    ServeVariant,
)


@dataclass(frozen=True)
class Parent:
    """A feature without parents of its own, the only kind that Unleash lets others depend on."""

    flag: ImportedFlag
    names: Names

    @property
    def when_on(self) -> tuple[str, ...]:
        return tuple(name for name in self.flag.variants if name != self.names.off)


@dataclass
class Demands:
    """Rules that come before all others, since an answer that is off does not show as a prerequisite."""

    prerequisites: list[Prerequisite] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)


def demands_of(
    feature: Feature, parents: Mapping[str, Parent | Unsayable | None], names: Names, notes: Notes
) -> Demands:
    """`parents`: None for a feature that has parents itself."""
    demands = Demands()
    for number, dependency in enumerate(feature.dependencies, start=1):
        parent = parents.get(dependency.feature)
        if isinstance(parent, Unsayable):
            raise Unsayable(f"its parent '{dependency.feature}' is refused: {parent}")
        if parent is None:
            problem = "has parents itself" if dependency.feature in parents else "does not exist"
            _forbid(demands, number, f"parent {dependency.feature} {problem}", ALWAYS, names, notes)
        elif dependency.enabled:
            _demand_on(demands, number, dependency, parent, names, notes)
        else:
            _demand_off(demands, number, dependency, parent, names)
    return demands


def _demand_on(
    demands: Demands, number: int, dependency: Dependency, parent: Parent, names: Names, notes: Notes
) -> None:
    wanted = _wanted(dependency, parent, notes)
    if wanted:
        demands.prerequisites.append(Prerequisite(flag=parent.flag.key, variants=wanted))
    else:
        what = f"parent {parent.flag.key} has no variant {' or '.join(dependency.variants)}"
        _forbid(demands, number, what, ALWAYS, names, notes)


def _wanted(dependency: Dependency, parent: Parent, notes: Notes) -> tuple[str, ...]:
    """Unleash takes a parent that is on without a variant for one that serves any, as its engine is."""
    if not dependency.variants:
        return parent.when_on
    named = parent.names.called(dependency.variants)
    if parent.names.on not in served_variants(parent.flag.targeting):
        return tuple(named)
    if OFF not in dependency.variants:
        notes.append(
            f"it depends on a variant of '{parent.flag.key}', and is on too where that is on without a "
            "variant, as Unleash's engine has it"
        )
    return (parent.names.on, *named)


def _demand_off(demands: Demands, number: int, dependency: Dependency, parent: Parent, names: Names) -> None:
    if dependency.variants:
        raise Unsayable(
            f"it depends on '{parent.flag.key}' being off and on its variants, which Unleash's clients "
            "read differently"
        )
    on = FlagIs(flag=parent.flag.key, variants=parent.when_on)
    _off_when(demands, number, f"parent {parent.flag.key} must be off", on, names)


def _forbid(demands: Demands, number: int, problem: str, when: Condition, names: Names, notes: Notes) -> None:
    notes.append(f"{problem}: it is always off")
    _off_when(demands, number, problem, when, names)


def _off_when(demands: Demands, number: int, what: str, when: Condition, names: Names) -> None:
    serve = ServeVariant(variant=names.off)
    demands.rules.append(Rule(id=f"dependency-{number}", name=what[:2_000], when=when, serve=serve))


def parents_first(features: Iterable[Feature]) -> list[Feature]:
    return sorted(features, key=lambda feature: bool(feature.dependencies))
