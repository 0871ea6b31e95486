from functools import partial

import pytest
from pydantic import JsonValue

from domain import flag, limits
from domain.errors import AlreadyExists, InUse, Invalid, NotFound
from domain.events import (
    DefaultServeChanged,
    FlagArchived,
    FlagCreated,
    FlagDetailsChanged,
    FlagRestored,
    FlagTurnedOff,
    FlagTurnedOn,
    OffVariantChanged,
    PrerequisitesChanged,
    RuleAdded,
    RuleChanged,
    RuleMoved,
    RuleRemoved,
    TargetsChanged,
    VariantAdded,
    VariantChanged,
    VariantRemoved,
)
from domain.targeting import (
    Clause,
    Constant,
    Prerequisite,
    Rule,
    ServeCodeDefault,
    ServeVariant,
    Target,
    Targeting,
)
from domain.values import FlagType
from tests.unit.decisions import given

CREATED = FlagCreated(
    project="shop",
    key="checkout",
    type=FlagType.BOOLEAN,
    variants={"on": True, "off": False},
    targeting=Targeting(enabled=False, off_variant="off", default=ServeVariant(variant="on")),
    gate_salt="g",
    split_salt="s",
)
ON = FlagTurnedOn(environment="production")
FIRST = CREATED.targeting
given_flag = partial(given, "flag", CREATED)
create = partial(flag.create, project="shop", key="checkout", gate_salt="g", split_salt="s")


def rule(rule_id: str, variant: str = "on") -> Rule:
    return Rule(id=rule_id, when=Constant(constant=True), serve=ServeVariant(variant=variant))


def test_a_new_boolean_flag_serves_true_when_on_and_false_when_off() -> None:
    variants: dict[str, JsonValue] = {"on": True, "off": False}
    given("flag").when(lambda state: create(state, type=FlagType.BOOLEAN, variants=variants)).then(CREATED)


def test_a_new_flag_of_another_type_serves_its_first_variant_and_the_code_default_when_off() -> None:
    (created,) = create(None, type=FlagType.STRING, variants={"blue": "#00f", "red": "#f00"})
    assert isinstance(created, FlagCreated)
    assert created.targeting == Targeting(enabled=False, default=ServeVariant(variant="blue"))


def test_a_boolean_flag_that_is_never_true_serves_the_code_default() -> None:
    (created,) = create(None, type=FlagType.BOOLEAN, variants={"no": False})
    assert isinstance(created, FlagCreated)
    assert created.targeting.default == ServeCodeDefault(code_default=True)
    assert created.targeting.off_variant == "no"


def test_a_float_flag_never_holds_an_integer() -> None:
    (created,) = create(None, type=FlagType.FLOAT, variants={"low": 1, "high": 2.5})
    assert isinstance(created, FlagCreated)
    assert [type(value) for value in created.variants.values()] == [float, float]


@pytest.mark.parametrize(
    ("flag_type", "value"),
    [
        (FlagType.BOOLEAN, 1),
        (FlagType.STRING, True),
        (FlagType.INTEGER, 1.5),
        (FlagType.INTEGER, True),
        (FlagType.INTEGER, 2**63),
        (FlagType.FLOAT, "1.5"),
        (FlagType.FLOAT, True),
    ],
)
def test_a_variant_has_a_value_of_the_flags_type(flag_type: FlagType, value: JsonValue) -> None:
    wish = partial(create, type=flag_type, variants={"one": value})
    given("flag").when(wish).refuses(Invalid, "'one'", flag_type, repr(value))


def test_an_object_flag_is_not_a_simpler_type_in_disguise() -> None:
    wish = partial(create, type=FlagType.OBJECT, variants={"one": "{}", "other": "[]"})
    given("flag").when(wish).refuses(Invalid, "make it a string flag")
    (created,) = create(None, type=FlagType.OBJECT, variants={"one": None, "other": 1, "third": {"a": []}})
    assert isinstance(created, FlagCreated)


def test_a_key_is_never_given_twice() -> None:
    wish = partial(create, type=FlagType.BOOLEAN, variants={"on": True})
    given_flag().when(wish).refuses(AlreadyExists, "'checkout'")
    given_flag(FlagArchived()).when(wish).refuses(AlreadyExists, "archived", "restored")


def test_turning_on_and_off() -> None:
    given_flag().when(flag.turn, environment="production", on=True).then(ON)
    given_flag(ON).when(flag.turn, environment="production", on=True).stays_quiet()
    given_flag(ON).when(flag.turn, environment="staging", on=True).then(FlagTurnedOn(environment="staging"))
    off = FlagTurnedOff(environment="production")
    given_flag(ON).when(flag.turn, environment="production", on=False).then(off)
    given_flag(ON, off).when(flag.turn, environment="production", on=False).stays_quiet()


def test_what_does_not_exist_or_is_archived_is_not_turned() -> None:
    given("flag").when(flag.turn, environment="production", on=True).refuses(NotFound)
    given_flag(FlagArchived()).when(flag.turn, environment="production", on=True).refuses(Invalid, "restore")


def test_archiving_and_restoring() -> None:
    given_flag().when(flag.archive).then(FlagArchived())
    given_flag(FlagArchived()).when(flag.archive).stays_quiet()
    given_flag(FlagArchived()).when(flag.restore).then(FlagRestored())
    given_flag(FlagArchived(), FlagRestored()).when(flag.restore).stays_quiet()
    given("flag").when(flag.archive).refuses(NotFound)


def test_a_targeting_that_says_the_same_changes_nothing() -> None:
    given_flag().when(flag.change_targeting, environment="production", to=FIRST).stays_quiet()


def test_each_thing_that_changed_is_one_event() -> None:
    to = Targeting(
        enabled=True,
        off_variant=None,
        default=ServeVariant(variant="off"),
        prerequisites=(Prerequisite(flag="api", variants=("on",)),),
        targets=(Target(variant="on", values=("u1",)),),
        rules=(rule("a"),),
    )
    given_flag().when(flag.change_targeting, environment="production", to=to).then(
        ON,
        OffVariantChanged(environment="production", variant=None),
        DefaultServeChanged(environment="production", serve=to.default),
        PrerequisitesChanged(environment="production", prerequisites=to.prerequisites),
        TargetsChanged(environment="production", targets=to.targets),
        RuleAdded(environment="production", rule=rule("a"), after=None),
    )


def test_one_and_true_are_not_the_same_value() -> None:
    def asking(value: bool | int) -> Rule:
        clause = Clause(attribute="a", operator="in", values=(value,))
        return Rule(id="a", when=clause, serve=ServeVariant(variant="on"))

    added = RuleAdded(environment="production", rule=asking(1), after=None)
    to = FIRST.model_copy(update={"rules": (asking(True),)})
    changed = RuleChanged(environment="production", rule=asking(True))
    (event,) = flag.change_targeting(given_flag(added).state, environment="production", to=to)
    assert isinstance(event, RuleChanged)
    assert event.model_dump_json() == changed.model_dump_json()


def test_rules_are_added_moved_changed_and_removed() -> None:
    events = [
        RuleAdded(environment="production", rule=rule(rule_id), after=after)
        for rule_id, after in (("a", None), ("b", "a"), ("c", "b"))
    ]
    to = FIRST.model_copy(update={"rules": (rule("c"), rule("a", "off"), rule("d"))})
    given_flag(*events).when(flag.change_targeting, environment="production", to=to).then(
        RuleRemoved(environment="production", rule_id="b"),
        RuleMoved(environment="production", rule_id="c", after=None),
        RuleAdded(environment="production", rule=rule("d"), after="a"),
        RuleChanged(environment="production", rule=rule("a", "off")),
    )


def test_a_targeting_serves_only_variants_that_exist() -> None:
    to = FIRST.model_copy(update={"off_variant": "grey"})
    wish = given_flag().when(flag.change_targeting, environment="production", to=to)
    wish.refuses(Invalid, "'grey'", "on, off")


def test_only_details_that_differ_are_an_event() -> None:
    change = FlagDetailsChanged(description="", owner="ana", tags=("a",))
    changed = FlagDetailsChanged(owner="ana", tags=("a",))
    given_flag().when(flag.change_details, details=change).then(changed)
    given_flag(changed).when(flag.change_details, details=change).stays_quiet()
    given_flag(FlagArchived()).when(flag.change_details, details=change).refuses(Invalid, "archived")
    assert changed.model_dump() == {"owner": "ana", "tags": ("a",)}
    assert given_flag(changed).state.owner == "ana"
    assert given_flag(changed).state.kind == "release"


def test_a_variant_is_added_changed_and_removed() -> None:
    added = VariantAdded(name="also", value=True)
    put = partial(flag.put_variant, name="also")
    given_flag().when(put, value=True).then(added)
    given_flag(added).when(put, value=True).stays_quiet()
    given_flag(added).when(put, value=False).then(VariantChanged(name="also", value=False))
    given_flag(added).when(flag.remove_variant, name="also").then(VariantRemoved(name="also"))
    given_flag().when(put, value=1).refuses(Invalid, "'also'", "boolean")
    given_flag().when(flag.remove_variant, name="also").refuses(NotFound, "'also'", "on, off")
    assert given_flag(added, VariantChanged(name="also", value=False)).state.variants["also"] is False
    assert list(given_flag(added, VariantRemoved(name="also")).state.variants) == ["on", "off"]


def test_a_float_flag_gets_floats_and_one_is_not_true() -> None:
    floats = CREATED.model_copy(update={"type": FlagType.FLOAT, "variants": {"on": 1.0}})
    given("flag", floats).when(flag.put_variant, name="on", value=1).stays_quiet()
    objects = CREATED.model_copy(update={"type": FlagType.OBJECT, "variants": {"on": 1}})
    changed = VariantChanged(name="on", value=True)
    given("flag", objects).when(flag.put_variant, name="on", value=True).then(changed)


def test_a_variant_that_is_served_stays() -> None:
    remove = partial(flag.remove_variant, name="also")
    added = VariantAdded(name="also", value=True)
    serving = DefaultServeChanged(environment="production", serve=ServeVariant(variant="also"))
    given_flag(added, serving).when(remove).refuses(InUse, "'also'", "production")
    given_flag().when(flag.remove_variant, name="on").refuses(InUse, "begins with")


def test_a_flag_has_so_many_variants_and_no_more() -> None:
    many = CREATED.model_copy(update={"variants": {str(n): True for n in range(limits.VARIANTS)}})
    given("flag", many).when(flag.put_variant, name="more", value=True).refuses(Invalid, str(limits.VARIANTS))
