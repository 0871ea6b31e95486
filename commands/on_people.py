"""What the commands about people decide."""

from collections.abc import Mapping

from commands.deciding import Handler, Salt
from commands.models import Command
from commands.on_tokens import refuse_unknown_places
from commands.people_models import AddPerson, ChangePassword, ChangePerson
from commands.unit_of_work import UnitOfWork
from domain import person
from domain.envelope import Stream, person_stream


def _add_person(work: UnitOfWork, command: AddPerson, _: Salt) -> Stream:
    stream = person_stream(person.person_id(command.email))
    decided = person.add(work.person(stream.key), **dict(command))
    refuse_unknown_places(work, command.grants)
    work.decide(stream, decided)
    return stream


def _change_person(work: UnitOfWork, command: ChangePerson, _: Salt) -> Stream:
    stream, wanted = person_stream(command.id), dict(command)
    decided = person.change(work.person(wanted.pop("id")), **wanted)
    refuse_unknown_places(work, command.grants or ())
    work.decide(stream, decided)
    return stream


def _change_password(work: UnitOfWork, command: ChangePassword, _: Salt) -> Stream:
    stream = person_stream(command.id)
    work.decide(stream, person.change_password(work.person(command.id), credential=command.credential))
    return stream


HANDLERS: Mapping[type[Command], Handler] = {
    AddPerson: _add_person,
    ChangePerson: _change_person,
    ChangePassword: _change_password,
}
