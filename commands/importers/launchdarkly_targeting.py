"""LaunchDarkly's order of decisions in ours: off, prerequisites, targets, rules, fallthrough."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from commands.importers.launchdarkly_attributes import key_of
from commands.importers.launchdarkly_clauses import all_clauses, in_parts
from commands.importers.launchdarkly_document import (
    USER,
    FlagPlace,
    context_kind,
    every,
    objects,
    optional,
    required,
    some,
    texts,
)
from commands.importers.launchdarkly_rollouts import Case, cases_of
from commands.importers.saying import clause, mapping
from domain import limits
from domain.targeting import Condition, Prerequisite, Rule, Serve, Target, Targeting

RULE_ID_LENGTH = 64  # a Rule's own limit


def targeting_of(flag: FlagPlace) -> Targeting:
    document = flag.document
    enabled, off = optional(document, "on", bool) or False, optional(document, "offVariation", int)
    if off is not None and not flag.has(off):
        if not enabled and not flag.is_asked:
            return _off_with_an_error(flag, off)
        flag.place.note(f"off variation {off} does not exist: here the caller's default, not an error")
        off = None
    targets, rules_of_targets = _targets(flag)
    *cases, (_, default) = cases_of(mapping(document.get("fallthrough") or {}, "'fallthrough'"), flag)
    return Targeting(
        enabled=enabled,
        off_variant=None if off is None else str(off),
        default=default,
        prerequisites=tuple(_prerequisite(each) for each in objects(document, "prerequisites")),
        targets=tuple(targets),
        rules=(*rules_of_targets, *_rules(flag), *(_nameless(*case) for case in cases)),
    )


def _off_with_an_error(flag: FlagPlace, off: int) -> Targeting:
    """On, for what is off answers no error; and without its rules, which nobody ever gets to."""
    flag.place.note("it is off there; here it is on, to answer that error to everybody, without its rules")
    return Targeting(enabled=True, default=flag.serve(off))


def _prerequisite(document: Mapping[str, Any]) -> Prerequisite:
    variation = required(document, "variation", int)
    return Prerequisite(flag=required(document, "key", str), variants=(str(variation),))


class _Aim(NamedTuple):
    variation: int
    attribute: str
    keys: list[str]


def _aims(document: Mapping[str, Any]) -> Iterator[_Aim]:
    """Where there are context targets, those of users only give the place of a user target in the order."""
    users = [
        _Aim(required(each, "variation", int), key_of(USER), texts(each, "values"))
        for each in objects(document, "targets")
    ]
    contexts = objects(document, "contextTargets")
    if not contexts:
        yield from users
    for each in contexts:
        variation, kind = required(each, "variation", int), context_kind(each)
        if kind == USER:
            yield from [aim for aim in users if aim.variation == variation][:1]
        else:
            yield _Aim(variation, key_of(kind), texts(each, "values"))


def _targets(flag: FlagPlace) -> tuple[list[Target], list[Rule]]:
    """Targets for as long as they can say it, then rules, which come next.

    They cannot once a variation does not exist, or a kind comes a second time after another: our targets are
    asked kind by kind.
    """
    targets: list[Target] = []
    rules: list[Rule] = []
    for aim in (each for each in _aims(flag.document) if each.keys):
        kinds = [each.attribute for each in targets]
        comes_again = aim.attribute in kinds and aim.attribute != kinds[-1]
        if rules or comes_again or not flag.has(aim.variation):
            rules.append(_nameless(_is_aimed_at(aim), flag.serve(aim.variation)))
        else:
            targets += _as_targets(aim)
    if rules:
        flag.place.note("some of its individual targets became rules, before its other rules")
    return targets, rules


def _as_targets(aim: _Aim) -> list[Target]:
    return [
        Target(variant=str(aim.variation), attribute=aim.attribute, values=tuple(part))
        for part in in_parts(aim.keys, limits.SUBJECTS)
    ]


def _is_aimed_at(aim: _Aim) -> Condition:
    return some([clause(aim.attribute, "in", *part) for part in in_parts(aim.keys, limits.VALUES)])


def _nameless(when: Condition, serve: Serve) -> Rule:
    return Rule(when=when, serve=serve)


def _rules(flag: FlagPlace) -> Iterator[Rule]:
    documents = objects(flag.document, "rules")
    ids = _rule_ids(documents, flag)
    for rule_id, document in zip(ids, documents, strict=True):
        when = every(all_clauses(document, flag.place))
        *cases, (_, serve) = cases_of(document, flag)
        yield from (_case_of_rule(when, case) for case in cases)
        yield Rule(id=rule_id, when=when, serve=serve)


def _case_of_rule(when: Condition, case: Case) -> Rule:
    return _nameless(every([when, case[0]]), case[1])


def _rule_ids(documents: list[Mapping[str, Any]], flag: FlagPlace) -> list[str]:
    """Their own, or `rule-0` by the index that LaunchDarkly's reasons tell."""
    ids: list[str] = []
    for index, document in enumerate(documents):
        own = optional(document, "id", str)
        usable = own is not None and 0 < len(own) <= RULE_ID_LENGTH and own not in ids
        if own and not usable:
            flag.place.note(f"the id of rule {index} is too long or given twice; here it is rule-{index}")
        ids.append(own if own and usable else f"rule-{index}")
    return ids
