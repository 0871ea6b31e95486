"""Routes of projects and their environments."""

from typing import Annotated

from fastapi import APIRouter, status
from pydantic import Field

from api.http import StrictRoute
from api.management.context import Administrator, Lister, Reader
from api.management.shapes import (
    EnvironmentAnswer,
    EnvironmentShape,
    ProjectAnswer,
    ProjectPage,
    environment_shapes,
    project_answer,
)
from commands.models import ChangeEnvironment, CreateEnvironment, CreateProject, Name, RenameProject
from domain import limits
from domain.envelope import project_stream
from domain.recording import Recording
from domain.values import Model, Slug

router = APIRouter(prefix="/projects", tags=["projects"], route_class=StrictRoute)


class NewProject(Model):
    key: Slug
    name: Name


@router.post("", status_code=status.HTTP_201_CREATED)
def create_project(body: NewProject, write: Administrator) -> ProjectAnswer:
    """Makes a project with the environments development, staging and production."""
    return project_answer(write.give(CreateProject(project=body.key, name=body.name)))


@router.get("")
def list_projects(listing: Lister) -> ProjectPage:
    page, after = listing.of("project")
    return ProjectPage(
        projects=[project_answer(each) for each in page], next=after, position=listing.position
    )


@router.get("/{project}")
def get_project(project: Slug, read: Reader) -> ProjectAnswer:
    return project_answer(read.one(project_stream(project), f"project '{project}'"))


class ProjectChange(Model):
    name: Name


@router.patch("/{project}")
def rename_project(project: Slug, body: ProjectChange, write: Administrator) -> ProjectAnswer:
    return project_answer(write.give(RenameProject(project=project, name=body.name)))


@router.post("/{project}/environments", status_code=status.HTTP_201_CREATED)
def create_environment(project: Slug, body: NewProject, write: Administrator) -> EnvironmentAnswer:
    """Makes an environment. Every flag is off in it until it is turned on there."""
    folded = write.give(CreateEnvironment(project=project, environment=body.key, name=body.name))
    return EnvironmentAnswer(key=body.key, name=body.name, project=project, position=folded.position)


class EnvironmentChange(Model):
    """What is absent stays. With `approvals`, changes are proposed and that many others approve them.
    `recording` is replaced as a whole."""

    name: Name | None = None
    approvals: Annotated[int, Field(ge=0, le=limits.APPROVALS)] | None = None
    recording: Recording | None = None


@router.patch("/{project}/environments/{environment}")
def change_environment(
    project: Slug, environment: Slug, body: EnvironmentChange, write: Administrator
) -> ProjectAnswer:
    command = ChangeEnvironment(
        project=project,
        environment=environment,
        name=body.name,
        approvals=body.approvals,
        recording=body.recording,
    )
    return project_answer(write.give(command))


@router.get("/{project}/environments")
def list_environments(project: Slug, read: Reader) -> list[EnvironmentShape]:
    return environment_shapes(read.project(project))
