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
