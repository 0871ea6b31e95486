"""`togglemaster history`, `diff`, `undo`, `blame`, `bisect` and `what-if`, asked of the management API.

Each command imports what it runs when it runs, as those in cli.py do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # an HTTP client and the rule language, which other commands do without
    from deploy.asking.management import Management
    from deploy.asking.screen import Screen

app = typer.Typer(pretty_exceptions_enable=False)

MOMENT = "A position of the log, or a time like 2026-11-23T09:30:00Z; without its zone it is this machine's."
TIME = "A time like 2026-11-23T09:30:00Z; without its zone it is this machine's."
ENTRIES, RECORDS = 50, 10_000  # a screen or two of events; what the API takes where it is not told
MOST_RECORDS = 100_000  # of a flag, by the API

Project = Annotated[str, typer.Option()]
Environment = Annotated[str, typer.Option()]
Json = Annotated[bool, typer.Option("--json", help="Print the API's answer, one JSON document.")]
Utc = Annotated[bool, typer.Option("--utc", help="Times in UTC instead of this machine's zone.")]
FromMoment = Annotated[str, typer.Option("--from", help=f"{MOMENT} Empty is the beginning.")]
ToMoment = Annotated[str, typer.Option("--to", help=f"{MOMENT} Empty is now.")]
Records = Annotated[
    int, typer.Option("--limit", min=1, max=MOST_RECORDS, help="Recorded evaluations, the newest, of a flag.")
]


@contextmanager
def _asking(as_json: bool, utc: bool = False) -> "Iterator[tuple[Management, Screen]]":
    from deploy.asking.management import Refused, management
    from deploy.asking.screen import Screen
    from deploy.settings import read_settings

    screen = Screen(as_json, utc)
    with management(read_settings()) as api:
        try:
            yield api, screen
        except Refused as refusal:
            if as_json:
                screen.show(refusal.problem, lambda *_: None)
            raise


@app.command()
def history(
    key: Annotated[str, typer.Argument(help="The flag's; without it everything in the project.")] = "",
    project: Project = "default",
    environment: Annotated[
        str, typer.Option(help="By default production for what changed answers, and else all of them.")
    ] = "",
    closure: Annotated[
        bool,
        typer.Option("--closure/--own", help="What changed its answers, segments and prerequisites too."),
    ] = True,
    segment: Annotated[bool, typer.Option("--segment", help="The key is a segment's.")] = False,
    by: Annotated[str, typer.Option(help="Only what this person or key did.")] = "",
    start: Annotated[str, typer.Option("--from", help=TIME)] = "",
    end: Annotated[str, typer.Option("--to", help=TIME)] = "",
    limit: Annotated[int, typer.Option(min=1, help="Events at most.")] = ENTRIES,
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """What happened and why, the newest first: to a flag and to what it depends on, a segment, a project."""
    from deploy.asking import past
    from deploy.asking.management import Place
    from deploy.told import Told

    if segment and not key:
        raise Told("--segment says that the KEY is a segment's: give one")
    closure = closure and bool(key) and not segment
    names = (("segments" if segment else "flags", key) if key else ()) + ("history",)
    with _asking(as_json, utc) as (api, screen):
        query = {
            "environment": environment or ("production" if closure else ""),
            "by": by,
            "from": screen.moment(start, "--from", positions=False),
            "to": screen.moment(end, "--to", positions=False),
        }
        past.history(api, screen, Place(project).path(*names), query, limit=limit, closure=closure)


@app.command()
def diff(
    project: Project = "default",
    environment: Environment = "production",
    other: Annotated[str, typer.Option(help="Another environment to compare it with.")] = "",
    at: Annotated[str, typer.Option(help=f"The environment as it was. {MOMENT}")] = "",
    to: Annotated[str, typer.Option(help="The other side as it was; empty is now.")] = "",
    flag: Annotated[str, typer.Option(help="Only this flag.")] = "",
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """What differs between an environment then and now, or between two environments."""
    from deploy.asking import past
    from deploy.asking.management import Place
    from deploy.told import Told

    if not other and not at:
        raise Told("say what to compare with: --at, how it was at a moment, or --other, another environment")
    with _asking(as_json, utc) as (api, screen):
        moments = {"at": screen.moment(at, "--at"), "to": screen.moment(to, "--to")}
        past.diff(api, screen, Place(project, environment), {"other": other, "flag": flag, **moments})


@app.command()
def undo(
    position: Annotated[int | None, typer.Argument(min=1, help="The event's, as `history` shows it.")] = None,
    change: Annotated[str, typer.Option(help="All that this applied change request did instead.")] = "",
    project: Project = "default",
    preview: Annotated[
        bool, typer.Option("--preview", help="Only show what would become different.")
    ] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Leave what was changed again later.")] = False,
    propose: Annotated[str, typer.Option(metavar="TITLE", help="Make a change request of it.")] = "",
    reason: Annotated[str, typer.Option(help="Why; kept with the events.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """Take back what an event made different. Shows it first and asks.

    Exits 1 where later events touched the same, and names them.
    """
    from deploy.asking.management import Place
    from deploy.asking.undoing import Wish
    from deploy.asking.undoing import undo as run

    wish = Wish(position, change, partial, propose, reason)
    with _asking(as_json, utc) as (api, screen):
        run(api, screen, Place(project), wish, preview=preview, yes=yes)


@app.command()
def blame(
    flag: Annotated[str, typer.Argument()],
    project: Project = "default",
    environment: Environment = "production",
    at: Annotated[str, typer.Option(help=f"As it was. {MOMENT}")] = "",
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """Which event made each part of a flag what it is: when, whose it was, and why."""
    from deploy.asking import causes
    from deploy.asking.management import Place

    with _asking(as_json, utc) as (api, screen):
        causes.blame(api, screen, Place(project, environment), flag, screen.moment(at, "--at"))


@app.command()
def bisect(
    flag: Annotated[str, typer.Argument()],
    context: Annotated[
        list[str] | None, typer.Option(metavar="JSON", help="A context to follow; give several.")
    ] = None,
    contexts: Annotated[Path | None, typer.Option(help="A file of contexts, one JSON object a line.")] = None,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Follow those that evaluators recorded.")
    ] = False,
    project: Project = "default",
    environment: Environment = "production",
    start: FromMoment = "",
    end: ToMoment = "",
    recorded_from: Annotated[str, typer.Option(help=f"{TIME} By default a day ago.")] = "",
    recorded_to: Annotated[str, typer.Option(help=f"{TIME} By default now.")] = "",
    limit: Records = RECORDS,
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """Find the events after which some answers of a flag were others, the newest first."""
    from deploy.asking import causes
    from deploy.asking.management import Place
    from deploy.told import Told

    if (recorded_from or recorded_to) and not recorded:
        raise Told("--recorded-from and --recorded-to say which evaluations to follow: add --recorded")
    with _asking(as_json, utc) as (api, screen):
        given = {
            "from": screen.moment(recorded_from, "--recorded-from", positions=False),
            "to": screen.moment(recorded_to, "--recorded-to", positions=False),
        }
        sample = {name: value for name, value in given.items() if value} | {"limit": limit}
        body = causes.contexts_of(context or [], contexts, sample if recorded else None)
        window = {"from": screen.moment(start, "--from"), "to": screen.moment(end, "--to")}
        causes.bisect(api, screen, Place(project, environment), flag, {**body, **window})


@app.command("what-if")
def what_if(
    file: Annotated[
        str, typer.Argument(help='{"commands": […]} as `POST …/commands` takes them; - is standard input.')
    ] = "",
    change: Annotated[str, typer.Option(metavar="ID", help="This change request instead.")] = "",
    undo: Annotated[
        int | None, typer.Option(metavar="POSITION", min=1, help="Undoing this event instead.")
    ] = None,
    targeting: Annotated[str, typer.Option(metavar="FLAG", help="The file is this flag's targeting.")] = "",
    segment: Annotated[str, typer.Option(metavar="KEY", help="The file is this segment's definition.")] = "",
    project: Project = "default",
    environment: Environment = "production",
    flag: Annotated[list[str] | None, typer.Option(help="Look at this flag only; give several.")] = None,
    start: Annotated[str, typer.Option("--from", help=f"{TIME} By default a day ago.")] = "",
    end: Annotated[str, typer.Option("--to", help=f"{TIME} By default now.")] = "",
    limit: Records = RECORDS,
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """Whom a change would move from which variant to which, by recorded evaluations. Changes nothing."""
    from deploy.asking import supposing
    from deploy.asking.management import Place

    place = Place(project, environment)
    draft = supposing.draft(file, place, change=change, undo=undo, targeting=targeting, segment=segment)
    with _asking(as_json, utc) as (api, screen):
        given = {
            "flags": flag or [],
            "from": screen.moment(start, "--from", positions=False),
            "to": screen.moment(end, "--to", positions=False),
        }
        chosen = {name: value for name, value in given.items() if value}
        supposing.what_if(api, screen, place, {**draft, **chosen, "limit": limit})
