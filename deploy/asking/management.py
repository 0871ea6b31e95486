"""The management API, asked over HTTP with somebody's token."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx2 as httpx

from deploy.asking.text import plain
from deploy.settings import Settings
from deploy.told import Told

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 300.0  # a search through all the past, with many contexts
TRIES = 3  # where the connection ends before the answer; whatever is asked here may be sent twice
LINES = "application/x-ndjson"

Tell = Callable[[Mapping[str, Any]], None]
"""Told how far it is: `flag`, `number` of `flags`, `read` of at most `limit` records."""


class Refused(Told):
    """`problem` is the answer's problem detail (RFC 9457)."""

    def __init__(self, text: str, problem: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.problem = problem


class Place(NamedTuple):
    project: str
    environment: str = ""

    def path(self, *names: str) -> str:
        """Of the project; names are of users' making."""
        return "/".join(["/projects", *(quote(each, safe="") for each in (self.project, *names))])

    def in_environment(self, *names: str) -> str:
        return self.path("environments", self.environment, *names)

    def of_flag(self, flag: str, *names: str) -> str:
        return self.path("flags", flag, "environments", self.environment, *names)


class Management:
    """Every method raises Told where there is no answer, and Refused where the answer is a refusal."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self._url, self._client = url, client

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[bytes, bytes] | None = None,
    ) -> Any:
        """What is empty in the query is left out."""
        params = {name: value for name, value in (query or {}).items() if value not in {"", None}}
        request = self._client.build_request(method, path, params=params, json=body, headers=headers)
        with self._answered():
            return self._read(self._send(request))

    def follow(self, path: str, body: Any, tell: Tell) -> Any:
        """POST, answered line by line while it goes on."""
        with (
            self._answered(),
            self._client.stream("POST", path, json=body, headers={"Accept": LINES}) as response,
        ):
            if not response.headers.get("content-type", "").startswith(LINES):
                response.read()
                return self._read(response)
            return self._last(response.iter_lines(), response.status_code, tell)

    def _send(self, request: httpx.Request) -> httpx.Response:
        for _ in range(TRIES - 1):
            try:
                return self._client.send(request)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                continue
        return self._client.send(request)

    def _read(self, response: httpx.Response) -> Any:
        try:
            answer = response.json()
        except ValueError as problem:
            raise self._somebody_else(response.status_code) from problem
        if response.is_success:
            return answer
        raise self._refusal(response.status_code, answer)

    def _last(self, lines: Iterator[str], status: int, tell: Tell) -> Any:
        for line in filter(None, lines):
            match _parsed(line):
                case {"progress": progress}:
                    tell(progress)
                case {"answer": answer}:
                    return answer
                case {"problem": {"status": int(refused), **problem}}:
                    raise self._refusal(refused, {**problem, "status": refused})
                case _:
                    raise self._somebody_else(status)
        raise Told(f"{self._url} ended before its answer did; ask again")

    def _refusal(self, status: int, problem: Any) -> Told:
        if not isinstance(problem, dict) or not isinstance(problem.get("detail"), str):
            return self._somebody_else(status)
        hint = f". {TOKENS}" if status == 401 else ""
        return Refused(plain(problem["detail"]) + hint, problem)

    def _somebody_else(self, status: int) -> Told:
        return Told(
            f"{self._url} answered {status}, and not as the management API does: see whether"
            " TOGGLEMASTER_MANAGEMENT_URL is its address"
        )

    @contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            yield
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as problem:
            raise _no_address(self._url) from problem
        except (httpx.ConnectError, httpx.ConnectTimeout) as problem:
            raise Told(
                f"nobody answers at {self._url} ({problem}): start the management API, or set"
                " TOGGLEMASTER_MANAGEMENT_URL to where it is"
            ) from problem
        except httpx.HTTPError as problem:
            raise Told(f"{self._url} gave no answer ({problem}); ask again") from problem


TOKENS = (
    "Set TOGGLEMASTER_TOKEN to an access token (`POST /api/v1/tokens` issues one), or TOGGLEMASTER_ADMIN_KEY"
    " to the administrator's key, which `togglemaster dev` prints"
)


@contextmanager
def management(settings: Settings) -> Iterator[Management]:
    """Raises Told without a token."""
    url, token = settings.management_url.rstrip("/"), settings.token or settings.admin_key
    if not token:
        raise Told(f"the management API wants to know who asks. {TOKENS}")
    if not (token.isascii() and token.isprintable()):
        name = "TOGGLEMASTER_TOKEN" if settings.token else "TOGGLEMASTER_ADMIN_KEY"
        raise Told(f"{name} has characters that no token has; copy it again")
    try:
        client = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )
    except httpx.InvalidURL as problem:
        raise _no_address(url) from problem
    with client:
        yield Management(url, client)


def _no_address(url: str) -> Told:
    return Told(f"TOGGLEMASTER_MANAGEMENT_URL is no address like http://127.0.0.1:8080, but '{plain(url)}'")


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
