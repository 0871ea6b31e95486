"""Where somebody who comes in is led."""

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.console.client import Refused, SignedOut
from api.console.framework import Served
from api.console.gate import sign_in_url
from api.console.sessions import Session
from api.console.sign_in import page_of
from api.console.texts import texts_for
from api.console.wishes import place_of


async def start(request: Request) -> Response:
    """To the place seen last, else to the first environment of the first project."""
    served: Served = request.scope["console"]
    session: Session = request.scope["console_session"]
    texts = texts_for(request)
    try:
        api = served.api_of(session, texts.language)
        found = (await api.get("/api/v1/projects", limit=1_000))["projects"]
    except SignedOut:
        return RedirectResponse(sign_in_url(request.scope, "/"), 303)
    except Refused as problem:
        return page_of(request, "message.html", problem.status, text=str(problem))
    places = [(each["key"], place["key"]) for each in found for place in each["environments"]]
    if not places:
        return page_of(request, "message.html", 200, text=texts.t("start.nothing"))
    last = place_of(request)
    project, environment = last if last in places else places[0]
    return RedirectResponse(f"{request.scope['root_path']}/{project}/{environment}/flags", 303)
