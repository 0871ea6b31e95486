"""In which language a route says its sentences."""

from typing import Annotated

from fastapi import Depends, Header, Response

from api.languages import preferred
from domain.languages import LANGUAGES
from domain.wording import Wording


def wording(
    response: Response,
    accept_language: Annotated[
        str,
        Header(
            description=f"the language of sentences (RFC 9110), of {', '.join(LANGUAGES)}; the first where"
            " none of them is wanted. `Content-Language` says which it was. Refusals are in English."
        ),
    ] = "",
) -> Wording:
    found = Wording(preferred(accept_language, LANGUAGES))
    response.headers["Content-Language"] = found.language
    response.headers["Vary"] = "Accept-Language"
    return found


WordingOf = Annotated[Wording, Depends(wording)]
"""For routes that answer with sentences."""
