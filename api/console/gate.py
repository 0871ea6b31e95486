"""What every request to the console passes: who sends it, from which page, what a browser may do with it."""

import asyncio
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.console.sessions import Session, Sessions

COOKIE = "togglemaster_console"
SIGN_IN = "/sign-in"
OPEN = (SIGN_IN, "/enter", "/link", "/static/")
"""What is reached without a session."""

ASSETS = ("/_nicegui/", "/static/", "/favicon.ico", "/session", "/_nicegui_ws/")
"""What a page fetches by itself: no sign of anybody being there."""

SAFE = {"GET", "HEAD"}
POLICY = {
    "default-src": "'none'",
    # NiceGUI sends handlers as text, and Vue compiles its templates.
    "script-src": "'self' 'nonce-{nonce}' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",  # Quasar and Vue set styles of elements
    "img-src": "'self' data:",  # Quasar's own icons are data
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
PLAIN_POLICY = POLICY | {"script-src": "'self'", "style-src": "'self'"}
"""For pages without NiceGUI, that of signing in above all."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # 'no-referrer' would make the Origin of our own forms 'null'
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
KEPT = "no-cache"  # by the browser, which asks each time whether it is still so
USER_EVENT = '42["event"'  # how socket.io begins what somebody did on a page
POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1

COME_AGAIN = '<!doctype html><meta http-equiv="refresh" content="0"><title>ToggleMaster</title>'


class Gate:
    """ASGI middleware. What is behind it finds `console_session` and `console_nonce` in its scope."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = self._sessions.find(_cookie(Headers(scope=scope)))
        scope["console_session"] = session
        if scope["type"] == "websocket":
            await self._socket(session, scope, receive, send)
        else:
            await self._request(session, scope, receive, send)

    async def _request(self, session: Session | None, scope: Scope, receive: Receive, send: Send) -> None:
        scope["console_nonce"] = nonce = secrets.token_urlsafe(16)
        where = _below(scope)
        answer = _refusal(session, scope, where)
        if session is not None and not where.startswith(ASSETS):
            self._sessions.touch(session)
        await (answer or self._app)(scope, receive, _guarded(send, nonce))

    async def _socket(self, session: Session | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Refused from another page, and without a session; cut off when that ends."""
        if session is None or not comes_from_here(scope):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        over = asyncio.create_task(session.over.wait())
        try:
            await self._app(scope, self._until(over, session, receive, send), send)
        finally:
            over.cancel()

    def _until(self, over: "asyncio.Task[bool]", session: Session, receive: Receive, send: Send) -> Receive:
        async def receive_until_over() -> Message:
            message = asyncio.ensure_future(receive())
            await asyncio.wait({message, over}, return_when=asyncio.FIRST_COMPLETED)
            if over.done():
                message.cancel()
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
                return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
            if (message.result().get("text") or "").startswith(USER_EVENT):
                self._sessions.touch(session)
            return message.result()

        return receive_until_over


def comes_from_here(scope: Scope) -> bool:
    """Whether a page of ours sent it. Browsers say so, and scripts cannot make them lie."""
    headers = Headers(scope=scope)
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == headers.get("host")


def cookie_header(secret: str, scope: Scope, *, seconds: int | None = None) -> dict[str, str]:
    """Not sent to scripts, nor with requests that other sites begin; kept until the browser closes."""
    secure = "; Secure" if scope["scheme"] == "https" else ""
    age = "" if seconds is None else f"; Max-Age={seconds}"
    path = scope.get("root_path", "") or "/"
    return {"Set-Cookie": f"{COOKIE}={secret}; Path={path}; HttpOnly; SameSite=Strict{secure}{age}"}


def _refusal(session: Session | None, scope: Scope, where: str) -> Response | None:
    if scope["method"] not in SAFE and where != "/link" and not comes_from_here(scope):
        return PlainTextResponse("this form was not sent by a page of the console; open it again", 403)
    if session is not None or where.startswith(OPEN):
        return None
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-mode", "navigate") != "navigate" or scope["method"] not in SAFE:
        return PlainTextResponse("you are not signed in", 401)
    if headers.get("sec-fetch-site") == "cross-site":  # from a link elsewhere, without our cookie
        return HTMLResponse(COME_AGAIN)
    return RedirectResponse(sign_in_url(scope, where), 303)


def sign_in_url(scope: Scope, where: str) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    then = quote(where + (f"?{query}" if query else ""), safe="")
    return f"{scope.get('root_path', '')}{SIGN_IN}?then={then}"


def _guarded(send: Send, nonce: str) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            page = "x-nicegui-content" in headers
            headers.update(HEADERS)
            headers["Content-Security-Policy"] = policy(POLICY if page else PLAIN_POLICY, nonce)
            headers.setdefault("Cache-Control", KEPT if "etag" in headers else "no-store")
        await send(message)

    return guarded


def policy(parts: dict[str, str], nonce: str) -> str:
    return "; ".join(f"{name} {value.format(nonce=nonce)}" for name, value in parts.items())


def _below(scope: Scope) -> str:
    """The path within the console."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
