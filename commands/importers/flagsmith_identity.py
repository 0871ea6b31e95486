"""The identity that an evaluation context is of: who says less than it, and nothing else, is answered as it.

What it gets is worked out as it is read, and served to contexts that leave something out: the identifier, its
own key, or a trait. A context that says all of it is asked as any other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from commands.importers.flagsmith_contexts import context_of
from commands.importers.flagsmith_documents import Document
from commands.importers.flagsmith_outcomes import free_name
from commands.importers.flagsmith_paths import IDENTITY_KEY
from commands.importers.imported import Imported, ImportedFlag
from commands.importers.saying import all_of, any_of, clause, exists, negated
from domain.conditions import attribute_getter
from domain.evaluation import evaluate
from domain.references import leaves
from domain.ruleset import Ruleset
from domain.segment import SegmentDefinition
from domain.targeting import TARGETING_KEY, AnyElement, Clause, Condition, InSegment, Rule, ServeVariant

SEGMENT = "identity of the document"
_NOT_TRAITS = {TARGETING_KEY, IDENTITY_KEY}


def add_identity(imported: Imported, document: Document) -> None:
    if document.identity is None or not imported.flags:
        return
    context = context_of({"identity": document.identity})
    condition = _says_less(context, sorted(_traits_asked(imported)), document)
    ruleset = imported.ruleset()
    key = free_name(SEGMENT, imported.segments)
    imported.segments[key] = SegmentDefinition(name="Identity of the document", condition=condition)
    imported.flags[:] = [_answered(each, ruleset, context, key) for each in imported.flags]
    imported.notes.append(
        f"flagsmith: the document is of the identity '{context.get(TARGETING_KEY)}'; a context that leaves "
        "something of it out, and says nothing else, is answered as it"
    )


def _answered(flag: ImportedFlag, ruleset: Ruleset, context: Mapping[str, Any], key: str) -> ImportedFlag:
    variant = evaluate(ruleset, flag.key, context).variant
    if variant is None:
        return flag
    rule = Rule(name=key, when=InSegment(segment=key), serve=ServeVariant(variant=variant))
    targeting = flag.targeting.model_copy(update={"rules": (rule, *flag.targeting.rules)})
    return replace(flag, targeting=targeting)


def _says_less(context: Mapping[str, Any], traits: list[str], document: Document) -> Condition:
    own_key = attribute_getter(IDENTITY_KEY)(context)
    made_key = f"{document.key_prefix}{context.get(TARGETING_KEY)}"
    wanted = {
        TARGETING_KEY: context.get(TARGETING_KEY),
        IDENTITY_KEY: own_key or made_key,
        **{name: attribute_getter(name)(context) for name in traits},
    }
    needed = {name for name in wanted if name != IDENTITY_KEY or own_key not in {None, made_key}}
    left_out = [
        negated(exists(name)) for name, value in wanted.items() if value is not None and name in needed
    ]
    return all_of(*(_as_said(name, value) for name, value in wanted.items()), any_of(*left_out))


def _as_said(name: str, value: Any) -> Condition:
    """The same, or not said at all."""
    if value is None:
        return negated(exists(name))
    return any_of(negated(exists(name)), clause(name, "equals", value))


def _traits_asked(imported: Imported) -> set[str]:
    return {name for condition in _conditions(imported) for name in _attributes(condition)} - _NOT_TRAITS


def _conditions(imported: Imported) -> Iterator[Condition]:
    yield from (rule.when for flag in imported.flags for rule in flag.targeting.rules)
    yield from (each.condition for each in imported.segments.values())


def _attributes(condition: Condition) -> Iterator[str]:
    for leaf in leaves(condition):
        if isinstance(leaf, Clause):
            yield leaf.attribute
        elif not isinstance(leaf, AnyElement) and (bucket := getattr(leaf, "bucket", None)):
            yield bucket.by
