"""What an evaluator holds in memory: every environment compiled, every key, and the position of it all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from domain.ruleset import DocumentName, Ruleset
from projections.documents import ENVIRONMENTS, KEYS, Documents, KeyDocument, Place, by_scope


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Immutable; `updated` gives the next one. `environments` by scope, `keys` by digest."""

    generation: str = ""
    position: int = 0
    environments: Mapping[str, Ruleset] = field(default_factory=dict)
    keys: Mapping[str, KeyDocument] = field(default_factory=dict)

    def updated(self, documents: Documents, *, position: int) -> "Snapshot":
        """With a batch's documents in place; only what they touch is compiled."""
        environments, keys = dict(self.environments), dict(self.keys)
        for scope, fields in by_scope(documents).items():
            if scope == KEYS:
                _update_keys(keys, fields)
            elif scope == ENVIRONMENTS:
                for name, _ in fields:
                    environments.setdefault(name, Ruleset())
            else:
                ruleset = environments.get(scope, Ruleset())
                environments[scope] = ruleset.updated((_name(name), document) for name, document in fields)
        return Snapshot(self.generation, position, environments, keys)


def snapshot_of(generation: str, position: int, documents: Iterable[tuple[Place, bytes]]) -> Snapshot:
    everything: Documents = {place: document.decode() for place, document in documents}
    return Snapshot(generation).updated(everything, position=position)


def _update_keys(keys: dict[str, KeyDocument], fields: Iterable[tuple[str, str | None]]) -> None:
    for digest, document in fields:
        if document is None:
            keys.pop(digest, None)
        else:
            keys[digest] = KeyDocument.model_validate_json(document)


def _name(field: str) -> DocumentName:
    kind, _, key = field.partition("/")
    return kind, key
