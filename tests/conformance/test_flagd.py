"""flagd's documented behaviour, by its own testbed's kinds of case; its second hash where none is named."""

from typing import Any

import mmh3
import pytest

from commands.importers import flagd, flagd1, flagd3
from domain.evaluation import Evaluation, evaluate

SUITS = {name: name for name in ("clubs", "diamonds", "hearts", "spades", "wild")}
BY_NAME = {"cat": [{"var": "$flagd.flagKey"}, {"var": "user.name"}]}
QUARTERS = [["clubs", 25], ["diamonds", 25], ["hearts", 25], ["spades", 25]]
TIERS = {"if": [{"==": [{"var": "tier"}, "premium"]}, "premium", "standard"]}


def answer(
    targeting: Any, context: dict[str, Any], *, default: Any = "fallback", key: str = "f", names: Any = None
) -> Evaluation:
    variants = names or {name: name for name in ("hit", "miss", "true", "false", "fallback")}
    flag = {"state": "ENABLED", "variants": variants, "defaultVariant": default, "targeting": targeting}
    imported = flagd.read(
        {"flags": {key: flag}, "$evaluators": {"is_boss": {"==": ["b@x.org", {"var": "email"}]}}}
    )
    assert not imported.refused
    return evaluate(imported.ruleset(), key, flagd.context_of(context))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("jack", "hearts"), ("queen", "spades"), ("ten", "clubs"), ("nine", "diamonds"), ("3", "clubs")],
)
def test_fractions_by_flag_key_and_an_attribute(name: str, expected: str) -> None:
    found = answer(
        {"fractional": [BY_NAME, *QUARTERS]},
        {"user": {"name": name}},
        default="wild",
        key="fractional-flag",
        names=SUITS,
    )
    assert (found.variant, found.reason) == (expected, "SPLIT")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("seven", "hearts"), ("eight", "diamonds"), ("nine", "clubs"), ("two", "spades")],
)
def test_fractions_by_a_shared_seed(name: str, expected: str) -> None:
    by = {"cat": ["shared-seed", {"var": "user.name"}]}
    found = answer({"fractional": [by, *QUARTERS]}, {"user": {"name": name}}, default="wild", names=SUITS)
    assert found.variant == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [("ejOoVL", "hit"), ("bY9fO-", "hit"), ("SI7p-", "hit"), ("6LvT0", "miss"), ("ceQdGm", "miss")],
)
def test_fractions_at_the_edges_of_the_hash(key: str, expected: str) -> None:
    targeting = {"fractional": [{"var": "targetingKey"}, ["hit", 50], ["miss", 50]]}
    assert answer(targeting, {"targetingKey": key}).variant == expected


@pytest.mark.parametrize(("key", "expected"), [("jon@company.com", "heads"), ("jane@company.com", "tails")])
def test_fractions_in_short(key: str, expected: str) -> None:
    names = {"heads": "heads", "tails": "tails", "draw": "draw"}
    targeting = {"fractional": [["heads"], ["tails", 1]]}
    found = answer(
        targeting, {"targetingKey": key}, default="draw", key="fractional-flag-shorthand", names=names
    )
    assert found.variant == expected


@pytest.mark.parametrize(
    ("key", "tier", "expected"),
    [
        ("jon@company.com", "premium", "premium"),
        ("jon@company.com", "basic", "standard"),
        ("user1", "premium", "standard"),
        ("user1", "basic", "standard"),
    ],
)
def test_a_share_that_depends_on_a_condition(key: str, tier: str, expected: str) -> None:
    targeting = {"fractional": [{"var": "targetingKey"}, [TIERS, 50], ["standard", 50]]}
    names = {name: name for name in ("premium", "standard", "fallback")}
    assert answer(targeting, {"targetingKey": key, "tier": tier}, names=names).variant == expected


@pytest.mark.parametrize(
    ("key", "color", "expected"),
    [
        ("jon@company.com", "red", "red"),
        ("jon@company.com", "green", "green"),
        ("user1", "red", "blue"),
        ("jon@company.com", "yellow", None),
        ("jon@company.com", None, "fallback"),
    ],
)
def test_a_share_named_by_an_attribute(key: str, color: str | None, expected: str | None) -> None:
    targeting = {"fractional": [{"var": "targetingKey"}, [{"var": "color"}, 50], ["blue", 50]]}
    names = {name: name for name in ("red", "green", "blue", "fallback")}
    found = answer(targeting, {"targetingKey": key, "color": color}, names=names)
    assert found.variant == expected
    assert (found.reason == "ERROR") == (color == "yellow")


@pytest.mark.parametrize(("tier", "expected"), [("premium", "hit"), ("basic", "miss")])
def test_a_weight_that_depends_on_a_condition(tier: str, expected: str) -> None:
    weight = {"if": [{"==": [{"var": "tier"}, "premium"]}, 100, 0]}
    targeting = {"fractional": [{"var": "targetingKey"}, ["hit", weight], ["miss", 10]]}
    assert answer(targeting, {"targetingKey": "jon@company.com", "tier": tier}).variant == expected


@pytest.mark.parametrize(
    ("shares", "expected"), [([[False, 0], [True, 100]], "hit"), ([[False, 100], [True, 0]], "miss")]
)
def test_a_fraction_as_a_condition(shares: list[Any], expected: str) -> None:
    assert answer({"if": [{"fractional": shares}, "hit", "miss"]}, {"targetingKey": "k"}).variant == expected


@pytest.mark.parametrize(
    ("targeting", "context", "expected", "reason"),
    [
        ({"starts_with": [{"var": "num"}, "abc"]}, {"num": 123}, "fallback", "DEFAULT"),
        ({"ends_with": [{"var": "s"}, "yz"]}, {"s": "xyz"}, "true", "TARGETING_MATCH"),
        ({"ends_with": [{"var": "s"}, "yz"]}, {"s": "abc"}, "false", "TARGETING_MATCH"),
        ({"starts_with": ["abc"]}, {}, "fallback", "DEFAULT"),
        ({"sem_ver": [{"var": "v"}, "=", "1.0.0"]}, {"v": "not-a-version"}, "fallback", "DEFAULT"),
        ({"sem_ver": [{"var": "v"}, "===", "1.0.0"]}, {"v": "1.0.0"}, "fallback", "DEFAULT"),
        ({"sem_ver": [{"var": "v"}, "="]}, {"v": "1.0.0"}, "fallback", "DEFAULT"),
        ({"fractional": [{"var": "gone"}, ["hit", 50], ["miss", 50]]}, {}, "fallback", "DEFAULT"),
        ({"fractional": [["hit", 0], ["miss", 0]]}, {"targetingKey": "k"}, "fallback", "DEFAULT"),
        ({"fractional": [["hit", -50], ["miss", 100]]}, {"targetingKey": "k"}, "miss", "SPLIT"),
        ({"if": [{"$ref": "is_boss"}, "hit", None]}, {"email": "b@x.org"}, "hit", "TARGETING_MATCH"),
        ({"if": [{"$ref": "is_boss"}, "hit", None]}, {}, "fallback", "DEFAULT"),
        ({"if": [{"$ref": "is_boss"}, "nope"]}, {"email": "b@x.org"}, None, "ERROR"),
        ({"if": [{"$ref": "gone"}, "hit"]}, {}, None, "ERROR"),
        ({"if": [{"$ref": "is_boss"}, None, "hit"]}, {"email": "b@x.org"}, "fallback", "DEFAULT"),
    ],
)
def test_what_a_targeting_gives(targeting: Any, context: Any, expected: str | None, reason: str) -> None:
    found = answer(targeting, context)
    assert (found.variant, found.reason) == (expected, reason)


@pytest.mark.parametrize(
    ("asked", "wanted", "actual", "holds"),
    [
        ("=", "2.0.0", "2.0.0", True),
        ("=", "2.0.0", "2.0.0.0", False),
        ("<", "2.0.0", "2.0.0-alpha", True),
        (">", "2.0.0", "2.1.0", True),
        ("~", "3.0.0", "3.0.1", True),
        ("~", "3.0.0", "3.1.0", False),
        ("^", "3.0.0", "3.1.0", True),
        ("^", "3.2.0", "3.1.0", True),
        ("^", "3.0.0", "4.0.0", False),
        ("=", "v1.0.0", "1.0.0", True),
        ("^", "1", "1.5.0", True),
        ("=", "1.0.0+build", "1.0.0+other", True),
        ("!=", "1.0.0", "1.0.1", True),
    ],
)
def test_versions(asked: str, wanted: str, actual: str, holds: bool) -> None:
    targeting = {"if": [{"sem_ver": [{"var": "v"}, asked, wanted]}, "hit", "miss"]}
    assert answer(targeting, {"v": actual}).variant == ("hit" if holds else "miss")


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"==": [{"var": "n"}, "5"]}, {"n": 5}, True),
        ({"===": [{"var": "n"}, "5"]}, {"n": 5}, False),
        ({"!=": [{"var": "n"}, 5]}, {}, True),
        ({"<": [{"var": "n"}, 5]}, {}, True),
        ({"<": [1, {"var": "n"}, 5]}, {"n": 3}, True),
        ({"in": [{"var": "c"}, ["a", "b"]]}, {"c": "b"}, True),
        ({"in": ["@x.org", {"var": "email"}]}, {"email": "b@x.org"}, True),
        ({"in": ["a", {"var": "list"}]}, {"list": ["ab"]}, False),
        ({"in": ["a", {"var": "list"}]}, {"list": ["a"]}, True),
        ({"and": [{"var": "on"}, {"!": [{"var": "off"}]}]}, {"on": True}, True),
        ({"or": [{"!!": [{"var": "empty"}]}]}, {"empty": ""}, False),
        ({"==": [{"var": ["plan", "free"]}, "free"]}, {}, True),
        ({"==": [{"var": "a.b"}, 1]}, {"a.b": 1}, False),
    ],
)
def test_conditions(condition: Any, context: dict[str, Any], holds: bool) -> None:
    assert answer({"if": [condition, "hit", "miss"]}, context).variant == ("hit" if holds else "miss")


@pytest.mark.parametrize(
    ("flag", "value", "reason"),
    [
        ({"state": "DISABLED", "defaultVariant": "on"}, None, "DISABLED"),
        ({"state": "ENABLED", "defaultVariant": "on"}, True, "STATIC"),
        ({"state": "ENABLED", "defaultVariant": None}, None, "DEFAULT"),
        ({"state": "ENABLED"}, None, "DEFAULT"),
        ({"state": "ENABLED", "defaultVariant": "gone"}, None, "ERROR"),
    ],
)
def test_without_targeting(flag: dict[str, Any], value: Any, reason: str) -> None:
    imported = flagd.read({"flags": {"f": {**flag, "variants": {"on": True, "off": False}}}})
    found = evaluate(imported.ruleset(), "f", {})
    assert (found.value, found.reason) == (value, reason)


def place(importer: Any, by: list[Any], context: dict[str, Any]) -> str | None:
    """Which of ten equal shares somebody gets."""
    names = {f"s{n}": n for n in range(10)}
    targeting = {"fractional": [*by, *([name, 1] for name in names)]}
    flag = {"state": "ENABLED", "variants": names, "targeting": targeting}
    return evaluate(importer.read({"flags": {"lamp": flag}}).ruleset(), "lamp", context).variant


def share(data: bytes) -> str:
    return f"s{(mmh3.hash(data, 0, False) * 10) >> 32}"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("moss", b"\x64moss"),
        (7, b"\x07"),
        (7.0, b"\x07"),
        (-500, b"\x39\x01\xf3"),
        (0.5, b"\xf9\x38\x00"),
        (True, b"\xf5"),
        ({"no": None, "a": [1]}, b"\xa2\x61a\x81\x01\x62no\xf6"),
    ],
)
def test_the_third_hash_is_of_any_value(value: Any, encoded: bytes) -> None:
    assert place(flagd3, [{"var": "v"}], {"v": value}) == share(encoded)


def test_the_third_hash_of_joined_texts_and_of_the_targeting_key() -> None:
    joined = [{"cat": ["salt-", {"var": "n"}]}]
    assert place(flagd3, joined, {"n": 5}) == share(b"\x66salt-5")
    assert place(flagd3, joined, {"n": False}) == share(b"\x6asalt-false")
    assert place(flagd3, [], {"targetingKey": "ida"}) == share(b"\x82\x64lamp\x63ida")


@pytest.mark.parametrize("context", [{}, {"targetingKey": ""}, {"targetingKey": 5}, {"targetingKey": True}])
@pytest.mark.parametrize("importer", [flagd1, flagd, flagd3])
def test_without_a_targeting_key_that_is_text_there_is_no_share(importer: Any, context: Any) -> None:
    assert place(importer, [], context) is None


def test_a_missing_attribute_leaves_it_to_the_targeting_key_up_to_the_third_hash() -> None:
    by, context = [{"var": "gone"}], {"targetingKey": "ida"}
    assert place(flagd, by, context) == share(b"lampida")
    assert place(flagd1, by, context) == place(flagd1, [], context) is not None
    assert place(flagd3, by, context) is None


@pytest.mark.parametrize("value", [5, True, 2.5, ["moss"], {"a": 1}])
def test_the_second_hash_is_of_texts(value: Any) -> None:
    assert place(flagd, [{"var": "v"}], {"v": value, "targetingKey": "ida"}) is None


def test_the_first_hash_counts_in_hundredths_of_a_signed_hash() -> None:
    for number in range(200):
        user = f"u{number}"
        percentage = abs(mmh3.hash(user, 0)) / (2**31 - 1) * 100
        assert place(flagd1, [{"var": "v"}], {"v": user}) == f"s{int(percentage // 10)}"


def test_a_fraction_in_the_share_of_another() -> None:
    inner = {"fractional": [{"var": "team"}, ["hit", 1], ["miss", 1]]}
    targeting = {"fractional": [{"var": "who"}, [inner, 1], ["true", 1]]}
    for number in range(40):
        context = {"who": f"w{number}", "team": f"t{number}"}
        first, second = (mmh3.hash(each, 0, False) >> 31 for each in context.values())
        assert answer(targeting, context).variant == ("true" if first else "miss" if second else "hit")


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"==": [{"lower": [{"var": "c"}]}, "mün"]}, {"c": "Mün"}, True),
        ({"==": [{"lower": [{"var": "c"}]}, "mün"]}, {"c": "MÜN"}, False),
        ({"==": [{"lower": [{"var": "c"}]}, "Mün"]}, {"c": "Mün"}, False),
        ({"in": [{"upper": {"var": "c"}}, ["SE", "NO"]]}, {"c": "no"}, True),
        ({"in": ["ARK", {"upper": {"var": "c"}}]}, {"c": "denmark"}, True),
        ({"ends_with": [{"lower": [{"var": "c"}]}, ".se"]}, {"c": "X.SE"}, True),
        ({"==": [{"lower": [{"var": "c"}]}, None]}, {"c": 5}, True),
        ({"==": [{"upper": ["no"]}, "NO"]}, {}, True),
        ({"lower": [{"var": "c"}]}, {"c": 5}, False),
        ({"sem_ver": ["1.4.0", "~", "1.4.9"]}, {}, True),
        ({"sem_ver": ["1.4.0", "^", "x"]}, {}, False),
        ({"sem_ver": [{"var": "v"}, "<", "1.5"]}, {"v": 1.4}, True),
        ({"sem_ver": [{"var": "v"}, "=", 2]}, {"v": 2}, True),
        ({"==": [{"if": [{"var": "c"}, 3, 4]}, 3]}, {"c": "x"}, True),
        ({"<": [{"if": [{"var": "c"}, 3, 4]}, 4]}, {}, False),
        ({"<": [1_600_000_000, {"var": "$flagd.timestamp"}]}, {}, True),
        ({"==": [{"rollout": [1, 2, "a", "b"]}, "b"]}, {"targetingKey": "k"}, True),
    ],
)
def test_texts_versions_and_times(condition: Any, context: dict[str, Any], holds: bool) -> None:
    assert answer({"if": [condition, "hit", "miss"]}, context).variant == ("hit" if holds else "miss")


@pytest.mark.parametrize(
    ("targeting", "context", "expected", "code"),
    [
        ({"lower": [{"var": "c"}]}, {"c": "HIT"}, "hit", None),
        ({"lower": [{"var": "c"}]}, {"c": 5}, "fallback", None),
        ({"lower": [{"var": "c"}]}, {"c": "other"}, None, "GENERAL"),
        ({"if": [True, "nothing"]}, {}, None, "GENERAL"),
        ({"if": [{"==": [{"vars": "c"}, 5]}, "hit"]}, {}, None, "PARSE_ERROR"),
        ({"rollout": [1, 9_999_999_999, "hit", "miss"]}, {}, None, "PARSE_ERROR"),
        ({"rollout": [9_999_999_998, 9_999_999_999, "hit"]}, {}, "fallback", None),
        ({"or": [{"and": [{"var": "c"}, "hit"]}, "miss"]}, {"c": "other"}, "hit", None),
        ({"fractional": [{"var": "c"}, ["hit", None]]}, {"c": "x"}, "hit", None),
        ({"fractional": [{"var": ["c", "x"]}, ["hit"]]}, {}, "hit", None),
    ],
)
def test_what_a_targeting_gives_or_gets_wrong(
    targeting: Any, context: Any, expected: str | None, code: str | None
) -> None:
    found = answer(targeting, context)
    assert (found.variant, found.error_code) == (expected, code)
