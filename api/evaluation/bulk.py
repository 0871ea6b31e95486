"""All flags of an environment at once: what is the same for everybody is put together beforehand."""

from collections.abc import Mapping
from typing import Any, cast

from api.evaluation.encoding import Made, made
from domain.evaluation import CompiledFlag, evaluate
from domain.ruleset import Ruleset
from projections.documents import KeyDocument
from workers.evaluations import Tally


class Plan:
    """For one version of an environment's ruleset, and one kind of key."""

    def __init__(self, ruleset: Ruleset, key: KeyDocument) -> None:
        seen = [flag for flag in ruleset.flags.values() if may_see(key, flag)]
        fixed = [made(flag.always, flag.key, key) for flag in seen if flag.always is not None]
        self.ruleset = ruleset
        self._key = key
        self._fixed = [b",".join(each.whole for each in fixed)] if fixed else []
        counters = [counter for each in fixed for counter in each.tally.counters]
        self._tallies = [Tally(*counters)] if counters else []
        self._asked = [flag for flag in seen if flag.always is None]
        self._decide = [flag.decide for flag in self._asked]

    def answer(self, context: Mapping[str, Any]) -> tuple[bytes, list[Tally]]:
        """The flags' objects in JSON, with commas between them, and what is to be counted."""
        found = self._made(context)
        if not found:
            return b"".join(self._fixed), self._tallies
        body = b",".join(self._fixed + [each.whole for each in found])
        return body, self._tallies + [each.tally for each in found]

    def _made(self, context: Mapping[str, Any]) -> list[Made]:
        ruleset, key = self.ruleset, self._key
        try:
            answers = [decide(context, ruleset) for decide in self._decide]
        except Exception:  # one of them is broken: each by itself then, and only that one answers so
            answers = [evaluate(ruleset, flag.key, context) for flag in self._asked]
        found = [answer.made for answer in answers]
        if None in found:
            return [made(answer, flag.key, key) for answer, flag in zip(answers, self._asked, strict=True)]
        return cast("list[Made]", found)


def may_see(key: KeyDocument, flag: CompiledFlag) -> bool:
    return flag.client_visible or key.kind != "client"
