"""What is known of every event alike: where it stands, who made it, when and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain.events import Event


@dataclass(frozen=True, slots=True)
class Stamp:
    """`at` is UTC. `reason` is what a person gave, or empty. `request` is the id of the HTTP request."""

    by: str
    at: datetime
    reason: str = ""
    request: str = ""


class Stream(NamedTuple):
    """One aggregate's events, e.g. flag · shop · new-checkout."""

    kind: str
    project: str
    key: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)

    @classmethod
    def parse(cls, text: str) -> "Stream":
        return cls(*text.split("/"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it stands in the log.

    `position` counts through the whole log, `version` through its stream. Positions rise but have gaps: a
    transaction that was rolled back leaves one.
    """

    position: int
    stream: Stream
    version: int
    stamp: Stamp
    event: Event


def project_stream(project: str) -> Stream:
    return Stream("project", project)


def flag_stream(project: str, key: str) -> Stream:
    return Stream("flag", project, key)


def segment_stream(project: str, key: str) -> Stream:
    return Stream("segment", project, key)


def key_stream(project: str, key_id: str) -> Stream:
    return Stream("key", project, key_id)


def webhook_stream(project: str, webhook_id: str) -> Stream:
    return Stream("webhook", project, webhook_id)


def token_stream(token_id: str) -> Stream:
    """A token belongs to no project; no project's key begins with '@'."""
    return Stream("token", "@tokens", token_id)


def person_stream(person_id: str) -> Stream:
    return Stream("person", "@people", person_id)


def change_stream(project: str, change_id: str) -> Stream:
    return Stream("change", project, change_id)


def plan_stream(project: str, plan_id: str) -> Stream:
    return Stream("plan", project, plan_id)
