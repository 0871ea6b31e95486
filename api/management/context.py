"""What every management route needs: who asks, what they expect, and the parts that answer."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol, cast

from fastapi import Depends, Header, HTTPException, Query, Request, Response
from pydantic import StringConstraints

from api.http import request_id
from api.management.access import Authenticator, PrincipalOf, permitted, permitted_somewhere, require
from api.management.analytics_parts import Analytics
from api.management.health_parts import Health
from api.management.people_parts import People
from commands.event_store import EventStore, Once
from commands.handlers import Commands
from commands.models import Command
from commands.unit_of_work import utc_now
from domain.aggregates import Folded, fold_all
from domain.envelope import Stamp, Stream, project_stream
from domain.errors import NotFound
from domain.project import Project
from domain.roles import EVERY, Permission, Principal
from projections.audit_trail import AuditTrail
from projections.catalogue import Catalogue, Filter
from projections.keys_used import KeysUsed
from projections.past import Past, Pasts, page_of
from projections.postgres_views import PostgresView
from projections.webhook_deliveries import WebhookDeliveries
from workers.webhook_messages import Sender

WAIT_FOR_POSITION_SECONDS = 0.5  # a list that is further behind than this says so instead of waiting on
POLL_SECONDS = 0.01
REASON_LENGTH = 2_000
PAGE_LIMIT = 1_000


class Background(Protocol):
    """What goes on beside the requests."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a management process is made of. `secret` is the installation's, from which others are derived;
    what is in `background` is started and stopped with the application; `evaluation_url` is for clients, and
    empty where nobody told it."""

    store: EventStore
    commands: Commands
    catalogue: Catalogue
    audit: AuditTrail
    analytics: Analytics
    deliveries: WebhookDeliveries
    sender: Sender
    people: People
    authenticators: tuple[Authenticator, ...]
    secret: str
    keys_used: KeysUsed
    pasts: Pasts
    health: Health
    background: tuple[Background, ...]
    evaluation_url: str


def parts(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


PartsOf = Annotated[Parts, Depends(parts)]


def stamp(
    request: Request,
    who: PrincipalOf,
    x_reason: Annotated[str, Header(max_length=REASON_LENGTH, description="why; kept with the event")] = "",
) -> Stamp:
    return Stamp(who.name, utc_now(), _as_typed(x_reason), request_id(request))


def _as_typed(value: str) -> str:
    """Headers are read as Latin-1; what was sent as UTF-8, as most clients do, is read as that."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


async def once(
    request: Request,
    who: PrincipalOf,
    idempotency_key: Annotated[
        str,
        Header(
            max_length=200,
            pattern=r"^[\x21-\x7e]*$",
            description="any text of your own; the same request sent again with it is answered, not repeated",
        ),
    ] = "",
) -> Once | None:
    """The request's fingerprint is of what it asks for: method, path, query, If-Match and body."""
    if not idempotency_key:
        return None
    asked = (request.method, request.url.path, request.url.query, request.headers.get("if-match", ""))
    fingerprint = hashlib.sha256("\n".join(asked).encode() + b"\n" + await request.body()).digest()
    return Once(who.name, idempotency_key, fingerprint)


def expected_version(
    if_match: Annotated[
        str | None, Header(description="the ETag that was read; 412 if it is not current")
    ] = None,
) -> int | None:
    if if_match is None or if_match == "*":
        return None
    digits = if_match.removeprefix("W/").strip('"')
    if not digits.isdecimal() or len(digits) > 18:
        raise HTTPException(400, f"If-Match has to be an ETag as it was given, like '\"7\"', not {if_match}")
    return int(digits)


@dataclass(frozen=True, slots=True)
class Write:
    """One write request, ready to give its command."""

    parts: Parts
    who: Principal
    stamp: Stamp
    expected: int | None
    once: Once | None
    response: Response

    def give(self, command: Command) -> Folded:
        """The aggregate afterwards; its version becomes the answer's ETag."""
        folded = self.parts.commands.execute(
            command, self.stamp, expected_version=self.expected, once=self.once
        )
        self.response.headers["ETag"] = f'"{folded.version}"'
        return folded

    def give_all(
        self, commands: Sequence[Command], standing: Mapping[Stream, int] | None = None
    ) -> list[Folded]:
        """All or none of them; none where a stream is no longer at the version given."""
        return self.parts.commands.execute_all(commands, self.stamp, once=self.once, standing=standing)


def write(
    parts: PartsOf,
    who: PrincipalOf,
    stamp: Annotated[Stamp, Depends(stamp)],
    expected: Annotated[int | None, Depends(expected_version)],
    once: Annotated[Once | None, Depends(once)],
    response: Response,
) -> Write:
    return Write(parts, who, stamp, expected, once, response)


def _writing(may: Callable[..., Principal]) -> Callable[..., Write]:
    def permitted_write(
        _: Annotated[Principal, Depends(may)], write: Annotated[Write, Depends(write)]
    ) -> Write:
        return write

    return permitted_write


Giver = Annotated[Write, Depends(_writing(permitted_somewhere))]
"""For routes that look at each command themselves."""

Writer = Annotated[Write, Depends(_writing(permitted(Permission.WRITE)))]
Administrator = Annotated[Write, Depends(_writing(permitted(Permission.ADMINISTER)))]


@dataclass(frozen=True, slots=True)
class Read:
    """One read request. Single things come from the log and are never stale; lists from the catalogue.

    `at` is the position of the log that is asked about; None is now.
    """

    parts: Parts
    who: Principal
    response: Response
    at: int | None = None

    def one(self, stream: Stream, what: str) -> Folded:
        folded = fold_all(self.parts.store.load(stream, until=self.at))
        if folded is None:
            raise NotFound(f"there is no {what}" if self.at is None else f"there was no {what} at {self.at}")
        self.response.headers["ETag"] = f'"{folded.version}"'
        return folded

    def project(self, key: str) -> Project:
        folded = fold_all(self.parts.store.load(project_stream(key), until=self.at))
        if folded is None:
            there = "is" if self.at is None else f"was, at {self.at},"
            raise NotFound(f"there {there} no project '{key}'")
        return cast("Project", folded.state)

    def past(self, project: str) -> Past:
        """All of the project, now or then."""
        return self.parts.pasts.of(project, self.parts.store.head() if self.at is None else self.at)


def read(
    parts: PartsOf, response: Response, who: Annotated[Principal, Depends(permitted(Permission.READ))]
) -> Read:
    return Read(parts, who, response)


Reader = Annotated[Read, Depends(read)]


def read_records(
    parts: PartsOf,
    response: Response,
    who: Annotated[Principal, Depends(permitted(Permission.READ_RECORDS))],
) -> Read:
    return Read(parts, who, response)


RecordsReader = Annotated[Read, Depends(read_records)]


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of a list is asked for."""

    catalogue: Catalogue
    after: str
    limit: int
    order: str
    only: Filter
    position: int

    def of(self, kind: str, project: str = "", environment: str = "") -> tuple[list[Folded], str | None]:
        """The page, and where the next one begins."""
        only = replace(self.only, environment=environment)
        return self.catalogue.page(
            kind, project, after=self.after, limit=self.limit, order=self.order, only=only
        )

    def then(self, found: Mapping[str, Folded]) -> tuple[list[Folded], str | None]:
        """The same of what there was once."""
        return page_of(found, self.only, after=self.after, limit=self.limit, order=self.order)


Order = Literal["key", "-key", "changed", "-changed", "created", "-created"]
LONGEST_PLACE = 18  # digits of a position; more would not be one
NoNul = StringConstraints(max_length=300, pattern=r"^[^\x00]*$")


def listing(
    request: Request,
    parts: PartsOf,
    who: PrincipalOf,
    after: Annotated[str, NoNul, Query(description="`next` of the page before, with the same `sort`")] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
    sort: Annotated[Order, Query(description="'-' puts the last first")] = "key",
    search: Annotated[
        str, NoNul, Query(description="part of a key, name, description, tag or owner; any case of letters")
    ] = "",
    tag: Annotated[str, NoNul, Query(description="only flags with this tag")] = "",
    owner: Annotated[str, NoNul, Query(description="only flags of this owner")] = "",
    kind: Annotated[str, NoNul, Query(description="only flags, or keys, of this kind")] = "",
    archived: Annotated[bool, Query(description="list what was archived or revoked instead")] = False,
    min_position: Annotated[
        int, Query(ge=0, lt=10**18, description="wait until the list has seen this position")
    ] = 0,
) -> Listing:
    if not sort.endswith("key") and after and not (after.isdecimal() and len(after) <= LONGEST_PLACE):
        raise HTTPException(422, f"'after' is not the 'next' of a page sorted by '{sort}'")
    if project := request.path_params.get("project"):
        require(who, Permission.READ, project)
    position = wait_for(parts, parts.catalogue, min_position)
    projects = None if EVERY in who.projects() else sorted(who.projects())
    only = Filter(
        projects=projects,
        archived=archived,
        of_kinds=[kind] if kind else None,
        owner=owner,
        tag=tag,
        search=search,
    )
    return Listing(parts.catalogue, after, limit, sort, only, position)


Lister = Annotated[Listing, Depends(listing)]


def wait_for(parts: Parts, view: PostgresView, position: int) -> int:
    """The position the view is at, once it is at least that; 503 when it does not get there soon."""
    if view.position() < position and position > (head := parts.store.head()):
        raise HTTPException(422, f"'min_position' is {position}, but the log ends at {head}")
    give_up = time.monotonic() + WAIT_FOR_POSITION_SECONDS
    while (now := view.position()) < position:
        if time.monotonic() > give_up:
            raise HTTPException(
                503,
                f"the list is at position {now} and has not seen {position} yet; is the projector running?",
                {"Retry-After": "1"},
            )
        time.sleep(POLL_SECONDS)
    return now
