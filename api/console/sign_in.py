"""Signing in and out: plain pages and forms, which need no script and no websocket."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from api.console.client import Door, Refused, SignIn
from api.console.gate import SIGN_IN, cookie_header
from api.console.sessions import LINK_SECONDS, Links, Session, Sessions
from api.console.texts import texts_for
from api.console.wishes import theme_of

TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")
FORM_FIELDS = 10


@dataclass(frozen=True, slots=True)
class SigningIn:
    sessions: Sessions
    links: Links
    door: Door

    def router(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        router.add_api_route(SIGN_IN, self.form, methods=["GET"])
        router.add_api_route(SIGN_IN, self.sign_in, methods=["POST"])
        router.add_api_route("/sign-out", self.sign_out, methods=["POST"])
        router.add_api_route("/link", self.make_link, methods=["POST"])
        router.add_api_route("/enter", self.enter, methods=["GET"])
        router.add_api_route("/session", still_there, methods=["GET"], response_class=Response)
        return router

    async def form(self, request: Request) -> Response:
        return _form(request, then=request.query_params.get("then", ""))

    async def sign_in(self, request: Request) -> Response:
        """With a form's `email` and `password`, or `key`."""
        form = await _fields(request)
        address = request.client.host if request.client else ""
        try:
            if key := form.get("key", "").strip():
                found = await self.door.with_key(key)
            else:
                found = await self.door.with_password(
                    form.get("email", ""), form.get("password", ""), address
                )
        except Refused as problem:
            return _form(request, then=form.get("then", ""), problem=problem, email=form.get("email", ""))
        return await self._let_in(request, found, form.get("then", ""))

    async def sign_out(self, request: Request) -> Response:
        session: Session | None = request.scope["console_session"]
        if session is not None:
            await self._end(session)
        answer = RedirectResponse(_at(request, SIGN_IN), 303)
        answer.headers.update(cookie_header("", request.scope, seconds=0))
        return answer

    async def make_link(self, request: Request) -> Response:
        """For whoever has a credential and no browser: an address that signs in once."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        try:
            found = await self.door.with_key(given)
        except Refused as problem:
            return JSONResponse({"detail": str(problem)}, problem.status)
        secret = self.links.make(found.credential, found.who)
        return JSONResponse({"path": f"{_at(request, '/enter')}?link={secret}", "seconds": LINK_SECONDS})

    async def enter(self, request: Request, link: str = "") -> Response:
        if "prefetch" in request.headers.get("sec-purpose", ""):  # the browser looks before anybody clicked
            return PlainTextResponse("this link is good for one use", 425)
        taken = self.links.take(link)
        if taken is None:
            return _form(request, then="", problem=Refused(401, texts_for(request).t("sign_in.link_used")))
        return await self._let_in(request, SignIn(*taken), "")

    async def _let_in(self, request: Request, found: SignIn, then: str) -> Response:
        """Always with another secret; what this browser was signed in to before ends."""
        before: Session | None = request.scope["console_session"]
        if before is not None:
            await self._end(before)
        answer = RedirectResponse(_at(request, _inside(then)), 303)
        secret = self.sessions.begin(found.credential, found.who)
        answer.headers.update(cookie_header(secret, request.scope))
        return answer

    async def _end(self, session: Session) -> None:
        self.sessions.end(session)
        await self.door.sign_out(session.credential)


async def still_there() -> Response:
    """The gate answers 401 to whoever is not; asked by pages that lost their connection."""
    return Response(status_code=204)


def _form(request: Request, then: str, problem: Refused | None = None, email: str = "") -> Response:
    status = problem.status if problem else 200
    return page_of(request, "sign_in.html", status, then=then, problem=problem, email=email)


def page_of(request: Request, template: str, status: int, **more: Any) -> Response:
    """A page without a script, and with nothing but what is in its template."""
    texts = texts_for(request)
    context = {
        "t": texts.t,
        "language": texts.language,
        "theme": theme_of(request),
        "root": request.scope["root_path"],
        **more,
    }
    return TEMPLATES.TemplateResponse(request, template, context, status_code=status)


async def _fields(request: Request) -> Mapping[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(body, max_num_fields=FORM_FIELDS).items()}


def _inside(then: str) -> str:
    """Of the console, whatever the address said."""
    return then if then.startswith("/") and not then.startswith(("//", "/\\")) else "/"


def _at(request: Request, where: str) -> str:
    return f"{request.scope['root_path']}{where}"
