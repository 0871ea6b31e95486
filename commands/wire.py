"""Commands as JSON, for those given together or kept until later: `{"command": "turn_flag_on", ...}`.

The names and fields are kept with proposed changes for ever, like those of events. The project is not among
them: it is where the commands are given.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import Field, TypeAdapter, create_model

from commands.change_models import StartPlan
from commands.models import (
    ArchiveFlag,
    ArchiveSegment,
    ChangeFlag,
    ChangeTargeting,
    Command,
    CreateFlag,
    PutSegment,
    PutVariant,
    RemoveVariant,
    RestoreFlag,
    TurnFlagOff,
    TurnFlagOn,
)
from domain.values import Model

ALLOWED: tuple[type[Command], ...] = (
    CreateFlag,
    ChangeFlag,
    PutVariant,
    RemoveVariant,
    ChangeTargeting,
    TurnFlagOn,
    TurnFlagOff,
    ArchiveFlag,
    RestoreFlag,
    PutSegment,
    ArchiveSegment,
    StartPlan,
)


def _name(command: type[Command]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", command.__name__).lower()


def _sent(command: type[Command]) -> type[Model]:
    fields: dict[str, Any] = {
        name: (field.annotation, field) for name, field in command.model_fields.items() if name != "project"
    }
    tag: Any = Literal[_name(command)]
    return create_model(f"{command.__name__}Command", __base__=Model, command=(tag, ...), **fields)


BY_NAME: Mapping[str, type[Command]] = {_name(command): command for command in ALLOWED}
SENT: Mapping[str, type[Model]] = {name: _sent(command) for name, command in BY_NAME.items()}

SentCommand: Any = Annotated[Union[*SENT.values()], Field(discriminator="command")]
"""What a request body may hold: one of the commands, told apart by `command`."""

_READER: TypeAdapter[Any] = TypeAdapter(SentCommand)


def received(project: str, sent: Model) -> Command:
    """The command that a SentCommand stands for in that project."""
    given = {name: getattr(sent, name) for name in type(sent).model_fields}
    command: Callable[..., Command] = BY_NAME[given.pop("command")]
    return command(project=project, **given)


def kept(command: Command) -> dict[str, Any]:
    """As JSON; `of_kept` reads it."""
    content = command.model_dump(mode="json", exclude={"project"})
    return {"command": _name(type(command)), **content}


def of_kept(project: str, content: Mapping[str, Any]) -> Command:
    return received(project, _READER.validate_python(content))
