"""What an evaluator holds in memory: every environment compiled, every key, and the position of it all."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from domain.recording import AS_INSTALLED, Recording
from domain.ruleset import DocumentName, Pause, Ruleset
from projections.documents import ENVIRONMENTS, KEYS, Documents, KeyDocument, Place, by_scope, recording_of
from projections.texts import Texts

Held = Mapping[str, Mapping[str, str]]
"""JSON by scope and field, as Redis has it."""

Changes = Mapping[str, Iterable[tuple[str, str | None]]]
"""Fields with their JSON, by scope; None takes one away."""

NO_RULES, NO_TEXTS = Ruleset(), Texts()
T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Immutable; `updated` and `replaced` give the next one. `keys` are by digest, the others by scope.

    `documents` is what all of it was made of. What does not compile goes on as it last did.
    """

    generation: str = ""
    position: int = 0
    environments: Mapping[str, Ruleset] = field(default_factory=dict)
    keys: Mapping[str, KeyDocument] = field(default_factory=dict)
    recordings: Mapping[str, Recording] = field(default_factory=dict)
    documents: Mapping[str, Texts] = field(default_factory=dict)

    def updated(self, documents: Documents, *, position: int, pause: Pause | None = None) -> "Snapshot":
        """With a batch's documents in place; only what they touch is compiled."""
        return self._with(by_scope(documents), self.generation, position, pause)

    def replaced(
        self, generation: str, position: int, documents: Held, pause: Pause | None = None
    ) -> "Snapshot":
        """With these documents and no others; what is the same as here is not compiled again."""
        changes = {}
        for scope in [*documents, *(self.documents.keys() - documents.keys())]:
            before, after = self.documents.get(scope, NO_TEXTS), documents.get(scope, {})
            if found := list(_compared(before, after, pause)):
                changes[scope] = found
        return self._with(changes, generation, position, pause)

    def _with(self, changes: Changes, generation: str, position: int, pause: Pause | None) -> "Snapshot":
        environments, keys, documents = dict(self.environments), self.keys, dict(self.documents)
        recordings = dict(self.recordings)
        for scope, fields in changes.items():
            if scope == KEYS:
                keys = _keys_with(keys, _paced(fields, pause))
            elif scope != ENVIRONMENTS:
                changed = ((_name(name), document) for name, document in fields)
                environments[scope] = environments.get(scope, NO_RULES).updated(changed, pause=pause)
            documents[scope] = documents.get(scope, NO_TEXTS).updated(_paced(fields, pause))
        for scope, document in changes.get(ENVIRONMENTS, ()):
            if document is None:
                environments.pop(scope, None)
                recordings.pop(scope, None)
            else:
                environments.setdefault(scope, NO_RULES)
                recordings[scope] = _recording(document, recordings.get(scope, AS_INSTALLED))
        return Snapshot(generation, position, environments, keys, recordings, documents)


def snapshot_of(
    generation: str, position: int, documents: Iterable[tuple[Place, bytes]], last_good: Snapshot
) -> Snapshot:
    """Compiles only what is not in `last_good` already."""
    held: dict[str, dict[str, str]] = {}
    for place, document in documents:
        held.setdefault(place.scope, {})[place.field] = document.decode(errors="replace")
    return last_good.replaced(generation, position, held)


def _paced(items: Iterable[T], pause: Pause | None) -> Iterator[T]:
    for item in items:
        if pause:
            pause()
        yield item


def _compared(
    before: Mapping[str, str], after: Mapping[str, str], pause: Pause | None
) -> Iterator[tuple[str, str | None]]:
    for name in _paced(after, pause):
        if before.get(name) != after[name]:
            yield name, after[name]
    for name in _paced(before, pause):
        if name not in after:
            yield name, None


def _keys_with(
    keys: Mapping[str, KeyDocument], fields: Iterable[tuple[str, str | None]]
) -> Mapping[str, KeyDocument]:
    made = dict(keys)
    for digest, document in fields:
        made.pop(digest, None)
        if document is not None:
            try:
                made[digest] = KeyDocument.model_validate_json(document)
            except ValidationError as problem:
                log.warning("a key cannot be read and is not in force: %s", problem)
    return made


def _recording(document: str, last_good: Recording) -> Recording:
    try:
        return recording_of(document)
    except ValidationError as problem:
        log.warning("what to record cannot be read and stays as it was: %s", problem)
        return last_good


def _name(field: str) -> DocumentName:
    kind, _, key = field.partition("/")
    return kind, key
