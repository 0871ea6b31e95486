"""A condition of the API as a tree that can be edited, and back again: what nobody touched stays as it is."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from api.console.operators import OPERATORS, is_number

Json = dict[str, Any]
Kind = Literal["attribute", "segment", "flag", "bucket", "constant", "kept"]
KINDS: tuple[Kind, ...] = ("attribute", "segment", "flag", "bucket", "constant")
"""What can be edited, by the one name that only it has; everything else is kept."""

NEW: Mapping[Kind, Json] = {
    "attribute": {"attribute": "", "operator": "in", "values": []},
    "segment": {"segment": ""},
    "flag": {"flag": "", "variants": []},
    "bucket": {"bucket": {"by": "targetingKey", "at_least": 0, "below": 10_000}},
    "constant": {"constant": True},
}
NEGATED_ITSELF = "attribute"
"""A clause says itself that it is negated; a "not" around one differs where the attribute is missing."""


@dataclass(eq=False, slots=True)
class Leaf:
    kind: Kind
    value: Json
    negated: bool = False


@dataclass(eq=False, slots=True)
class Group:
    """`how` is all or any of its parts. With `bare` it is not written down while it has one part only."""

    how: str = "all"
    negated: bool = False
    bare: bool = False
    parts: list["Node"] = field(default_factory=list)


Node = Leaf | Group


def tree_of(condition: Mapping[str, Any]) -> Group:
    found = _node(condition)
    return found if isinstance(found, Group) else Group(bare=True, parts=[found])


def condition_of(node: Node) -> Json:
    if isinstance(node, Leaf):
        inner = deepcopy(node.value)
    elif node.bare and len(node.parts) == 1:
        inner = condition_of(node.parts[0])
    else:
        inner = {node.how: [condition_of(part) for part in node.parts]}
    return {"not": inner} if node.negated else inner


def new_leaf(kind: Kind) -> Leaf:
    return Leaf(kind, deepcopy(NEW[kind]))


def _node(condition: Mapping[str, Any]) -> Node:
    if "not" in condition:
        return _negated(_node(condition["not"]))
    for how in ("all", "any"):
        if how in condition:
            return Group(how, parts=[_node(each) for each in condition[how]])
    return Leaf(_kind(condition), deepcopy(dict(condition)))


def _negated(inner: Node) -> Node:
    itself = isinstance(inner, Leaf) and inner.kind in {NEGATED_ITSELF, "kept"}
    if inner.negated or itself:
        return Group(negated=True, bare=True, parts=[inner])
    inner.negated = True
    return inner


def _kind(condition: Mapping[str, Any]) -> Kind:
    kind: Kind = next((each for each in KINDS if each in condition), "kept")
    known = condition.get("operator") in OPERATORS if kind == "attribute" else True
    native = condition["bucket"].get("algorithm", "native") == "native" if kind == "bucket" else True
    return kind if known and native else "kept"


def parent_of(root: Group, node: Node) -> Group:
    return next(group for group in groups(root) if node in group.parts)


def groups(node: Node) -> Iterator[Group]:
    if isinstance(node, Group):
        yield node
        for part in node.parts:
            yield from groups(part)


def leaves(node: Node) -> Iterator[Leaf]:
    for group in groups(node):
        yield from (part for part in group.parts if isinstance(part, Leaf))


def remove(root: Group, node: Node) -> None:
    parent_of(root, node).parts.remove(node)


def move(root: Group, node: Node, step: Literal[-1, 1]) -> None:
    """One place up or down as it reads: past a condition, into a group, or out of its own."""
    parent = parent_of(root, node)
    beside = parent.parts.index(node) + step
    if 0 <= beside < len(parent.parts):
        other = parent.parts[beside]
        parent.parts.remove(node)
        if isinstance(other, Group):
            other.parts.insert(len(other.parts) if step < 0 else 0, node)
        else:
            parent.parts.insert(beside, node)
    elif parent is not root:
        above = parent_of(root, parent)
        parent.parts.remove(node)
        above.parts.insert(above.parts.index(parent) + (step > 0), node)


def missing(leaf: Leaf) -> str | None:
    """What it still needs, as a key of the texts; None where it can be sent. The API has the last word."""
    value = leaf.value
    if leaf.kind == "attribute":
        return _missing_of_clause(value)
    needed: Mapping[str, str] = {"segment": "segment", "flag": "flag"}
    if leaf.kind in needed and not value[needed[leaf.kind]]:
        return f"conditions.needs_{leaf.kind}"
    if leaf.kind == "flag" and not value["variants"]:
        return "conditions.needs_variants"
    return None


def _missing_of_clause(clause: Mapping[str, Any]) -> str | None:
    takes = OPERATORS[clause["operator"]]
    if not clause["attribute"]:
        return "conditions.needs_attribute"
    if takes != "nothing" and not clause.get("values"):
        return "conditions.needs_value"
    if takes == "numbers" and not all(is_number(value) for value in clause["values"]):
        return "conditions.needs_number"
    return None
