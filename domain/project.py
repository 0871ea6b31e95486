"""A project and its environments."""

from dataclasses import dataclass, field, replace
from typing import assert_never

from domain.errors import AlreadyExists, NotFound
from domain.events import (
    ApprovalsChanged,
    EnvironmentCreated,
    EnvironmentRenamed,
    ProjectCreated,
    ProjectEvent,
    ProjectRenamed,
    RecordingChanged,
)
from domain.recording import AS_INSTALLED, Recording

FIRST_ENVIRONMENTS = {"development": "Development", "staging": "Staging", "production": "Production"}


@dataclass(frozen=True, slots=True)
class Project:
    key: str
    name: str
    environments: dict[str, str] = field(default_factory=dict)  # key -> name
    approvals: dict[str, int] = field(default_factory=dict)  # environment -> how many, where any are required
    recordings: dict[str, Recording] = field(default_factory=dict)  # environment -> where it was ever said


def evolve(project: Project | None, event: ProjectEvent) -> Project:
    match event:
        case ProjectCreated(project=key, name=name):
            return Project(key, name)
        case ProjectRenamed(name=name):
            assert project is not None
            return replace(project, name=name)
        case EnvironmentCreated(environment=key, name=name) | EnvironmentRenamed(environment=key, name=name):
            assert project is not None
            return replace(project, environments={**project.environments, key: name})
        case ApprovalsChanged(environment=key, approvals=approvals):
            assert project is not None
            others = {each: number for each, number in project.approvals.items() if each != key}
            return replace(project, approvals={**others, key: approvals} if approvals else others)
        case RecordingChanged(environment=key, recording=recording):
            assert project is not None
            return replace(project, recordings={**project.recordings, key: recording})
        case _:
            assert_never(event)


def create(project: Project | None, *, key: str, name: str) -> tuple[ProjectEvent, ...]:
    """A project begins with the three environments nearly everybody has."""
    if project is not None:
        raise AlreadyExists(f"project '{key}' exists already")
    environments = (
        EnvironmentCreated(environment=key, name=name) for key, name in FIRST_ENVIRONMENTS.items()
    )
    return ProjectCreated(project=key, name=name), *environments


def create_environment(project: Project | None, *, key: str, name: str) -> tuple[ProjectEvent, ...]:
    environments = existing(project).environments
    if key not in environments:
        return (EnvironmentCreated(environment=key, name=name),)
    if environments[key] == name:
        return ()
    raise AlreadyExists(f"environment '{key}' exists already, with the name '{environments[key]}'")


def rename(project: Project | None, *, name: str) -> tuple[ProjectEvent, ...]:
    return () if existing(project).name == name else (ProjectRenamed(name=name),)


def change_environment(
    project: Project | None,
    *,
    key: str,
    name: str | None = None,
    approvals: int | None = None,
    recording: Recording | None = None,
) -> tuple[ProjectEvent, ...]:
    """What is None stays as it is."""
    found = existing(project)
    require_environment(found, key)
    events: list[ProjectEvent] = []
    if name is not None and name != found.environments[key]:
        events.append(EnvironmentRenamed(environment=key, name=name))
    if approvals is not None and approvals != found.approvals.get(key, 0):
        events.append(ApprovalsChanged(environment=key, approvals=approvals))
    if recording is not None and recording != found.recordings.get(key, AS_INSTALLED):
        events.append(RecordingChanged(environment=key, recording=recording))
    return tuple(events)


def existing(project: Project | None, key: str = "") -> Project:
    if project is None:
        raise NotFound(f"there is no project '{key}'" if key else "there is no such project")
    return project


def require_environment(project: Project, environment: str) -> None:
    if environment not in project.environments:
        known = ", ".join(project.environments)
        raise NotFound(f"project '{project.key}' has no environment '{environment}'; it has {known}")
