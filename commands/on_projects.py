"""What the commands about projects and environments decide."""

from collections.abc import Mapping

from commands.deciding import Handler, Salt, the_project
from commands.models import ChangeEnvironment, Command, CreateEnvironment, CreateProject, RenameProject
from commands.unit_of_work import UnitOfWork
from domain import project
from domain.envelope import Stream, project_stream


def _create_project(work: UnitOfWork, command: CreateProject, _: Salt) -> Stream:
    stream = project_stream(command.project)
    work.decide(stream, project.create(work.project(command.project), key=command.project, name=command.name))
    return stream


def _rename_project(work: UnitOfWork, command: RenameProject, _: Salt) -> Stream:
    stream = project_stream(command.project)
    work.decide(stream, project.rename(the_project(work, command.project), name=command.name))
    return stream


def _create_environment(work: UnitOfWork, command: CreateEnvironment, _: Salt) -> Stream:
    stream = project_stream(command.project)
    found = the_project(work, command.project)
    work.decide(stream, project.create_environment(found, key=command.environment, name=command.name))
    return stream


def _change_environment(work: UnitOfWork, command: ChangeEnvironment, _: Salt) -> Stream:
    stream, found = project_stream(command.project), the_project(work, command.project)
    changes = project.change_environment(
        found,
        key=command.environment,
        name=command.name,
        approvals=command.approvals,
        recording=command.recording,
    )
    work.decide(stream, changes)
    return stream


HANDLERS: Mapping[type[Command], Handler] = {
    CreateProject: _create_project,
    RenameProject: _rename_project,
    CreateEnvironment: _create_environment,
    ChangeEnvironment: _change_environment,
}
