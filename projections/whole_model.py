"""Reads everything a generation holds as it was at one position, while it is written to."""

from redis import Redis

from domain.ruleset import Pause
from projections.documents import Documents
from projections.ruleset_store import LIVE, TAG, RulesetStore

Model = dict[str, dict[str, str]]
"""JSON by scope and field."""


def read_whole(redis: Redis, store: RulesetStore, generation: str, pause: Pause) -> tuple[int, Model] | None:
    """The position, and what the model holds there; None when there was no such moment: read it again.

    Pages are read while writes go on; the changes since the start make them one moment again. A generation
    that was deleted, or emptied and filled anew, meanwhile gives pages with holes. That shows: it is another
    one that is live, or the changes do not lead from the start to where it stands, or scopes hold more or
    less than was read.
    """
    position = store.position(generation)
    model = _pages(store, generation, pause)
    while True:
        reached = _caught_up(store, generation, position, model)
        if reached is None:
            return None
        live, now, sizes = _moment(redis, generation, list(model))
        if live != generation or now < reached or (now > reached == position):
            return None
        if now == reached:
            return (now, model) if sizes == [len(fields) for fields in model.values()] else None
        position = reached


def _pages(store: RulesetStore, generation: str, pause: Pause) -> Model:
    model: Model = {}
    for place, document in store.documents(generation):
        # What is not UTF-8 is broken, and is to break only itself.
        model.setdefault(place.scope, {})[place.field] = document.decode(errors="replace")
        pause()
    return model


def _caught_up(store: RulesetStore, generation: str, position: int, model: Model) -> int | None:
    """Where the changes since `position` bring the model; None when some of them are gone."""
    for change in store.changes(generation, after=position):
        if change.after != position:
            return None
        _apply(model, change.documents)
        position = change.position
    return position


def _apply(model: Model, documents: Documents) -> None:
    for place, document in documents.items():
        fields = model.setdefault(place.scope, {})
        if document is None:
            fields.pop(place.field, None)
        else:
            fields[place.field] = document


def _moment(redis: Redis, generation: str, scopes: list[str]) -> tuple[str, int, list[int]]:
    """Which generation is live, where this one stands, and how much is in each scope, all at once."""
    with redis.pipeline(transaction=True) as asked:
        asked.get(LIVE)
        asked.hget(f"{TAG}:{generation}:state", "position")
        for scope in scopes:
            asked.hlen(f"{TAG}:{generation}:documents:{scope}")
        live, position, *sizes = asked.execute()
    return (live or b"").decode(), int(position or 0), sizes
