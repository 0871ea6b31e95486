"""What every module of handlers shares: the type of a handler, and finding what a command is about."""

from collections.abc import Callable
from typing import Any

from commands.unit_of_work import UnitOfWork
from domain import flag, project
from domain.envelope import Stream
from domain.flag import Flag
from domain.project import Project, require_environment

Salt = Callable[[], str]
"""Gives random text."""

Handler = Callable[[UnitOfWork, Any, Salt], Stream]
"""Decides the events of one command, and returns the stream that the command is about."""


def the_project(work: UnitOfWork, key: str, environment: str | None = None) -> Project:
    found = project.existing(work.project(key), key)
    if environment is not None:
        require_environment(found, environment)
    return found


def the_flag(work: UnitOfWork, project: str, key: str) -> Flag:
    return flag.existing(work.flag(project, key), key)
