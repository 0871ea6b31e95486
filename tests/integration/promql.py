"""What an expression in PromQL asks for, held against what there is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser as promql
from prometheus_client import Metric

OF_PROMETHEUS = frozenset({"job", "instance"})  # labels that it gives to whatever it scrapes
CLOSED = frozenset({"process", "view"})  # labels of which every value is exported by the processes together

Selector = promql.VectorSelector


@dataclass(frozen=True)
class Series:
    """One name that is exported, with its labels and the values that these have."""

    labels: Mapping[str, set[str]]


def exported(families: Iterable[Metric]) -> dict[str, Series]:
    found: dict[str, Series] = {}
    for family in families:
        for sample in family.samples:
            labels = dict(found.get(sample.name, Series({})).labels)
            for label, value in sample.labels.items():
                labels[label] = labels.get(label, set()) | {value}
            found[sample.name] = Series(labels)
    return found


class Wrong(Exception):
    pass


def check(text: str, there: Mapping[str, Series]) -> frozenset[str]:
    """The labels that the answer has. Raises Wrong for a name or a label that nothing exports."""
    return labels_of(promql.parse(text), there)


def labels_of(node: promql.Expr, there: Mapping[str, Series]) -> frozenset[str]:
    if isinstance(node, promql.NumberLiteral | promql.StringLiteral):
        return frozenset()
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        return labels_of(node.expr, there)
    found = READERS.get(type(node))
    if found is None:
        raise Wrong(f"this test does not know what {type(node).__name__} is")
    return found(node, there)


def _selected(node: Selector, there: Mapping[str, Series]) -> frozenset[str]:
    if node.name is None or node.name not in there:
        raise Wrong(f"nothing exports {node.name}")
    series = there[node.name]
    for each in node.matchers.matchers:
        if each.name not in series.labels:
            raise Wrong(f"{node.name} has no label {each.name}; it has {sorted(series.labels)}")
        exact = each.op == promql.MatchOp.Equal and each.name in CLOSED
        if exact and each.value not in series.labels[each.name]:
            raise Wrong(f"{node.name} never has {each.name}={each.value}")
    return frozenset(series.labels) | OF_PROMETHEUS


def _aggregated(node: promql.AggregateExpr, there: Mapping[str, Series]) -> frozenset[str]:
    inner = labels_of(node.expr, there)
    if node.modifier is None:
        return frozenset()
    named = frozenset(node.modifier.labels)
    _require(named, inner)
    return named if node.modifier.type == promql.AggModifierType.By else inner - named


def _called(node: promql.Call, there: Mapping[str, Series]) -> frozenset[str]:
    labels = frozenset[str]().union(*(labels_of(each, there) for each in node.args))
    match node.func.name:
        case "histogram_quantile":
            _require(frozenset({"le"}), labels)
            return labels - {"le"}
        case "scalar":
            return frozenset()
        case "absent":
            (only,) = node.args
            assert isinstance(only, promql.VectorSelector)
            return frozenset(each.name for each in only.matchers.matchers if each.op == promql.MatchOp.Equal)
    return labels


def _joined(node: promql.BinaryExpr, there: Mapping[str, Series]) -> frozenset[str]:
    left, right = labels_of(node.lhs, there), labels_of(node.rhs, there)
    modifier = node.modifier
    if modifier is not None and modifier.matching is not None:
        for side in (left, right):
            _require(frozenset(modifier.matching.labels), side)
        taken_over = frozenset(modifier.group_labels or ())
        _require(taken_over, right)
        return left | taken_over
    return left | right if str(node.op) == "or" else left or right


def _require(wanted: frozenset[str], there: frozenset[str]) -> None:
    if missing := wanted - there:
        raise Wrong(f"there are no labels {sorted(missing)}; there are {sorted(there)}")


READERS: Mapping[type[promql.Expr], Callable[[Any, Mapping[str, Series]], frozenset[str]]] = {
    promql.VectorSelector: _selected,
    promql.MatrixSelector: lambda node, there: _selected(node.vector_selector, there),
    promql.AggregateExpr: _aggregated,
    promql.Call: _called,
    promql.BinaryExpr: _joined,
}
