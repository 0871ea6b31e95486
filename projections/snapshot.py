"""What an evaluator holds in memory: every environment compiled, every key, and the position of it all."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from domain.ruleset import DocumentName, Ruleset
from projections.documents import ENVIRONMENTS, KEYS, Documents, KeyDocument, Place, by_scope

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Immutable; `updated` gives the next one. `environments` by scope, `keys` by digest."""

    generation: str = ""
    position: int = 0
    environments: Mapping[str, Ruleset] = field(default_factory=dict)
    keys: Mapping[str, KeyDocument] = field(default_factory=dict)

    def updated(
        self, documents: Documents, *, position: int, last_good: "Snapshot | None" = None
    ) -> "Snapshot":
        """With a batch's documents in place; only what they touch is compiled.

        What does not compile goes on as it was here, or else as `last_good` has it.
        """
        good = (last_good or self).environments
        environments, keys = dict(self.environments), dict(self.keys)
        for scope, fields in by_scope(documents).items():
            if scope == KEYS:
                _update_keys(keys, fields)
            elif scope == ENVIRONMENTS:
                for name, _ in fields:
                    environments.setdefault(name, Ruleset())
            else:
                ruleset = environments.get(scope, Ruleset())
                changed = [(_name(name), document) for name, document in fields]
                environments[scope] = ruleset.updated(changed, good.get(scope))
        return Snapshot(self.generation, position, environments, keys)


def snapshot_of(
    generation: str, position: int, documents: Iterable[tuple[Place, bytes]], last_good: Snapshot
) -> Snapshot:
    everything: Documents = {place: document.decode() for place, document in documents}
    return Snapshot(generation).updated(everything, position=position, last_good=last_good)


def _update_keys(keys: dict[str, KeyDocument], fields: Iterable[tuple[str, str | None]]) -> None:
    for digest, document in fields:
        keys.pop(digest, None)
        if document is not None:
            try:
                keys[digest] = KeyDocument.model_validate_json(document)
            except ValidationError as problem:
                log.warning("a key cannot be read and is not in force: %s", problem)


def _name(field: str) -> DocumentName:
    kind, _, key = field.partition("/")
    return kind, key
