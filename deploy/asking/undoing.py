"""`togglemaster undo`: a look at what would become different, a question, and then the deed."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import typer

from deploy.asking.management import Management, Place
from deploy.asking.past import Answer, show_entry, show_things, thing
from deploy.asking.screen import Screen
from deploy.told import Told


@dataclass(frozen=True, slots=True)
class Wish:
    """Of the event at `position`, or of all that `change` did; `propose` is a change request's title."""

    position: int | None
    change: str
    partial: bool
    propose: str
    reason: str

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {"change": self.change} if self.change else {"position": self.position}
        if self.partial:
            found["partial"] = True
        return found | ({"propose": {"title": self.propose}} if self.propose else {})

    def headers(self) -> dict[bytes, bytes]:
        return {b"Idempotency-Key": uuid4().hex.encode(), b"X-Reason": self.reason.encode()}


def undo(
    api: Management, screen: Screen, place: Place, wish: Wish, *, preview: bool = False, yes: bool = False
) -> None:
    """Raises Told where it is refused: by the API, by a conflict, or by whoever is asked."""
    _refuse_what_cannot_be_sent(wish)
    path = place.path("undo")
    look = api.ask("POST", path, body={**wish.body(), "preview": True})
    if preview or not look["things"] or (look["conflicts"] and not wish.partial):
        screen.show(look, _show_look)
        _refuse_conflicts(look["conflicts"], wish)
        return
    _show_look(screen.beside(), look)
    if not yes:
        _ask(wish)
    done = api.ask("POST", path, body=wish.body(), headers=wish.headers())
    if done["things"] and done["things"] != look["things"]:
        screen.beside().say("meanwhile it had become another; what was taken back is:")
        show_things(screen.beside(), done["things"])
    screen.show(done, _show_done)


def _refuse_what_cannot_be_sent(wish: Wish) -> None:
    if (wish.position is None) == (not wish.change):
        raise Told("say what to undo: either the POSITION of an event, which `history` shows, or --change ID")
    if not wish.reason.isprintable():
        raise Told("--reason is one line of text")


def _refuse_conflicts(conflicts: Sequence[Answer], wish: Wish) -> None:
    if conflicts and not wish.partial:
        raise Told(
            "nothing was undone: later events changed the same; undo them first, or leave it as it is with"
            " --partial"
        )


def _ask(wish: Wish) -> None:
    if not sys.stdin.isatty():
        raise Told("nothing was undone: there is no terminal to ask at; --yes does it without asking")
    if not typer.confirm("Propose this?" if wish.propose else "Do this?", err=True):
        raise Told("nothing was undone")


def _show_look(screen: Screen, look: Answer) -> None:
    if look["things"]:
        screen.say("becomes different:")
        show_things(screen, look["things"])
    elif not look["conflicts"]:
        screen.say("there is nothing to take back: it is already as it was before")
    for each in look["conflicts"]:
        screen.say((f"stays, as it was changed later: {thing(each)}", "bold yellow"))
        screen.say(each["sentence"], indent=2)
        for entry in each["later"]:
            show_entry(screen, entry, indent=2)


def _show_done(screen: Screen, done: Mapping[str, Any]) -> None:
    if change := done["change"]:
        screen.say(f"proposed as change {change['id']}, which is {change['status']}")
    elif done["changed"]:
        screen.say(f"done, at position {max(each['position'] for each in done['changed'])}")
    else:
        screen.say("there was nothing left to take back")
