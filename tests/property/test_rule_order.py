from hypothesis import given
from hypothesis import strategies as st

from domain.events import RuleMoved
from domain.flag import change_targeting, evolve
from domain.rule_order import changes_of_rules
from domain.targeting import Constant, Rule, ServeVariant, Targeting
from tests.unit.test_flag_decisions import CREATED


def rules(ids: list[str], variants: dict[str, str]) -> tuple[Rule, ...]:
    return tuple(
        Rule(id=each, when=Constant(constant=True), serve=ServeVariant(variant=variants.get(each, "on")))
        for each in ids
    )


IDS = st.lists(st.sampled_from("abcdefgh"), unique=True)
VARIANTS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["on", "off"]))


@given(IDS, IDS, VARIANTS)
def test_the_events_of_a_change_lead_to_what_was_wanted(
    now: list[str], to: list[str], variants: dict[str, str]
) -> None:
    flag = evolve(None, CREATED)
    for wish in (rules(now, {}), rules(to, variants)):
        targeting = Targeting(enabled=True, default=ServeVariant(variant="on"), rules=wish)
        for event in change_targeting(flag, environment="production", to=targeting):
            flag = evolve(flag, event)
        assert flag.targeting("production") == targeting
    assert change_targeting(flag, environment="production", to=targeting) == ()


@given(st.permutations("abcdef"), st.sampled_from("abcdef"), st.integers(0, 5))
def test_dragging_one_rule_is_at_most_one_move(order: list[str], dragged: str, place: int) -> None:
    to = [each for each in order if each != dragged]
    to.insert(place, dragged)
    changes = changes_of_rules("production", rules(order, {}), rules(to, {}))
    assert all(isinstance(change, RuleMoved) for change in changes)
    assert len(changes) == (0 if to == order else 1)
