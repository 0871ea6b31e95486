"""Whatever the rules: what is exported and imported again answers the same."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from commands.importers.togglemaster import dump, read
from domain.evaluation import FlagDocument, evaluate
from domain.flag import Flag
from domain.segment import Segment
from tests.property.test_engine import CONDITIONS, CONTEXTS, FLAGS, TARGETINGS, compiled, documents


@settings(max_examples=150, deadline=None)
@given(st.lists(TARGETINGS, min_size=3, max_size=3), st.lists(CONDITIONS, min_size=2, max_size=2), CONTEXTS)
def test_an_export_answers_as_what_was_exported(
    targetings: list[Any], conditions: list[Any], context: dict[str, Any]
) -> None:
    parts = documents(targetings, conditions)
    flags = [
        Flag("p", each.key, each.type, each.variants, each.targeting, each.gate_salt, each.split_salt)
        for each in parts
        if isinstance(each, FlagDocument)
    ]
    segments = [
        Segment("p", each.key, each.salt, each.definition)
        for each in parts
        if not isinstance(each, FlagDocument)
    ]
    imported = read(dump(flags, segments, "production"))
    assert imported.refused == []
    before, after = compiled(parts), imported.ruleset()
    for key in FLAGS:
        assert evaluate(after, key, context) == evaluate(before, key, context)
