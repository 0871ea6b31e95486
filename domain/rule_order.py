"""The fewest events that turn one ordered list of rules into another."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from domain.events import RuleAdded, RuleChanged, RuleMoved, RuleRemoved
from domain.targeting import Rule
from domain.values import same

RuleEvent = RuleAdded | RuleChanged | RuleMoved | RuleRemoved


def moved(rules: Sequence[Rule], rule: Rule, after: str | None) -> tuple[Rule, ...]:
    """The rules with `rule` right behind the one with id `after`, or first."""
    others = [each for each in rules if each.id != rule.id]
    place = 0 if after is None else 1 + next(i for i, each in enumerate(others) if each.id == after)
    return (*others[:place], rule, *others[place:])


def changes_of_rules(environment: str, now: Sequence[Rule], to: Sequence[Rule]) -> tuple[RuleEvent, ...]:
    """Removals first, then additions and moves from front to back, then changes of content."""
    return (*_removed(environment, now, to), *_placed(environment, now, to), *_changed(environment, now, to))


def _removed(environment: str, now: Sequence[Rule], to: Sequence[Rule]) -> Iterator[RuleEvent]:
    wanted = {rule.id for rule in to}
    return (RuleRemoved(environment=environment, rule_id=rule.id) for rule in now if rule.id not in wanted)


def _placed(environment: str, now: Sequence[Rule], to: Sequence[Rule]) -> Iterator[RuleEvent]:
    places = {rule.id: place for place, rule in enumerate(now)}
    kept = [rule.id for rule in to if rule.id in places]
    staying = _longest_rising(kept, places)
    before: str | None = None
    for rule in to:
        if rule.id not in places:
            yield RuleAdded(environment=environment, rule=rule, after=before)
        elif rule.id not in staying:
            yield RuleMoved(environment=environment, rule_id=rule.id, after=before)
        before = rule.id


def _changed(environment: str, now: Sequence[Rule], to: Sequence[Rule]) -> Iterator[RuleEvent]:
    old = {rule.id: rule for rule in now}
    changed = (rule for rule in to if not same(old.get(rule.id, rule), rule))
    return (RuleChanged(environment=environment, rule=rule) for rule in changed)


def _longest_rising(ids: Sequence[str], places: dict[str, int]) -> set[str]:
    """The most rules that are in their old order already: the longest rising subsequence of old places."""
    ends: list[int] = []  # the smallest place that ends a rising run of each length
    runs: list[tuple[str, ...]] = []
    for rule_id in ids:
        length = bisect_left(ends, places[rule_id])
        run = (*(runs[length - 1] if length else ()), rule_id)
        ends[length : length + 1] = [places[rule_id]]
        runs[length : length + 1] = [run]
    return set(runs[-1]) if runs else set()
