"""The original's flag service, which was Flask."""

from itertools import groupby
from typing import Any

from api.legacy.answers import NO_CONTENT, Answer, Answered, flask_date, flask_error, flask_json
from api.legacy.bodies import body_of, description_of, is_name, members_of, new_name, switch_of
from api.legacy.parts import Asked
from api.legacy.writes import see, write
from commands.models import ArchiveFlag, Command
from commands.original.views import PROJECT, FlagView, View, view_of
from commands.original.writing import change_flag, make_flag

NOT_FOUND = "Flag não encontrada"
NO_BODY = "Corpo da requisição obrigatório"
NO_FIELD = "Pelo menos um campo ('description', 'is_enabled') é obrigatório"


def create(asked: Asked) -> Answer:
    members = members_of(body_of(asked))
    if not members.get("name"):
        raise Answered(flask_error(400, "'name' é obrigatório"))
    name = new_name(members, "name")
    wished = {"description": "", "is_enabled": False, **members}
    description, enabled = description_of(wished), switch_of(wished)

    def decide(view: View) -> list[Command]:
        if view.flag or view.is_foreign:
            raise Answered(flask_error(409, f"Flag '{name}' já existe"))
        return make_flag(name, view.state, description=description, enabled=enabled)

    return flask_json(201, _shown(_the_flag(write(asked, name, decide))))


def read_all(asked: Asked) -> Answer:
    """From the log itself, so that what was written is there."""
    log = asked.original.store.load_kind("flag", PROJECT)
    views = (view_of(list(events)) for _, events in groupby(log, key=lambda recorded: recorded.stream))
    flags = sorted((view.flag for view in views if view.flag), key=lambda flag: flag.name)
    return flask_json(200, [_shown(flag) for flag in flags])


def read(asked: Asked) -> Answer:
    return flask_json(200, _shown(_the_flag(see(asked, _name(asked)))))


def change(asked: Asked) -> Answer:
    body = body_of(asked)
    if not body:
        raise Answered(flask_error(400, NO_BODY))
    members = members_of(body)
    if not members.keys() & {"description", "is_enabled"}:
        raise Answered(flask_error(400, NO_FIELD))
    description = description_of(members) if "description" in members else None
    enabled = switch_of(members) if "is_enabled" in members else None
    name = _name(asked)

    def decide(view: View) -> list[Command]:
        _the_flag(view)
        return change_flag(name, description=description, enabled=enabled)

    return flask_json(200, _shown(_the_flag(write(asked, name, decide))))


def delete(asked: Asked) -> Answer:
    name = _name(asked)

    def decide(view: View) -> list[Command]:
        _the_flag(view)
        return [ArchiveFlag(project=PROJECT, flag=name)]

    write(asked, name, decide)
    return NO_CONTENT


def _name(asked: Asked) -> str:
    """Of a flag that can be there."""
    if not is_name(asked.name):
        raise Answered(flask_error(404, NOT_FOUND))
    return asked.name


def _the_flag(view: View) -> FlagView:
    if view.flag is None:
        raise Answered(flask_error(404, NOT_FOUND))
    return view.flag


def _shown(flag: FlagView) -> dict[str, Any]:
    return {
        "id": flag.id,
        "name": flag.name,
        "description": flag.description,
        "is_enabled": flag.is_enabled,
        "created_at": flask_date(flag.created_at),
        "updated_at": flask_date(flag.updated_at),
    }
