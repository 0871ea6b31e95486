"""Which of several languages somebody is answered in."""

import re
from collections.abc import Iterable, Iterator, Mapping

WEIGHT = re.compile(r"q=([01](?:\.[0-9]*)?)")
Welcome = tuple[float, int]
"""How much something is wanted, and, of what is wanted alike, the earlier the higher."""

NOT_WANTED: Welcome = (0.0, 0)


def preferred(accepted: str, known: Iterable[str]) -> str:
    """Of an Accept-Language (RFC 9110, 12.5.4); the first of them where it says nothing of any.

    A language is as welcome as the nearest thing that was said: of itself, of its main part (`pt`), of
    another region's (`pt-PT` is nearer to `pt-BR` than English is), of `*`. What cannot be read was not said.
    """
    wishes = dict(_wishes(accepted))
    return max(known, key=lambda each: _welcome(each.lower(), wishes))


def _wishes(accepted: str) -> Iterator[tuple[str, Welcome]]:
    for place, each in enumerate(accepted.split(",")):
        tag, _, weight = (part.strip().lower() for part in each.partition(";"))
        if read := WEIGHT.fullmatch(weight or "q=1"):
            wanted = min(float(read[1]), 1.0)
            yield tag, (wanted, -place) if wanted else NOT_WANTED


def _welcome(language: str, wishes: Mapping[str, Welcome]) -> Welcome:
    main = language.split("-", maxsplit=1)[0]
    regions = [tag for tag in wishes if tag.split("-")[0] == main]
    nearest = max(regions, key=lambda tag: wishes[tag], default="*")
    said = next((tag for tag in (language, main, nearest) if tag in wishes), "")
    return wishes.get(said, NOT_WANTED)
