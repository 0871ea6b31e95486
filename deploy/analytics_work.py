"""What `togglemaster analytics` does about dead letters and subjects."""

import time
from contextlib import closing

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from commands.event_store import EventStore, StoreUnavailable
from commands.unit_of_work import UnitOfWork
from deploy.processes.common import PATIENCE_SECONDS
from deploy.processes.setup import aws_told
from deploy.settings import Settings
from deploy.told import Told
from domain.errors import Refused
from domain.project import existing
from domain.recording import pseudonym
from projections.aws import Queue, dead_queue, dynamodb_client, sqs_client
from workers.dead_letters import redrive
from workers.evaluation_store import Tables
from workers.forgetting import SETTLING_SECONDS, forget


def redrive_dead_letters(settings: Settings, limit: int | None, out: Console, err: Console) -> None:
    """Raises Told."""
    queue = Queue(sqs_client(settings.aws_endpoint_url, settings.aws_region), settings.queue_name)
    dead = dead_queue(queue)
    with aws_told(), _bar(err) as bar:
        waiting = dead.messages()
        task = bar.add_task("moved", total=min(waiting, limit or waiting))
        moved = redrive(dead, queue, limit, lambda done: bar.update(task, completed=done))
    _print(out, f"{moved} messages were moved from {dead.name} to {queue.name}")


def forget_subject(
    settings: Settings,
    project: str,
    environments: list[str],
    subject: str,
    out: Console,
    err: Console,
    *,
    settling_seconds: float = SETTLING_SECONDS,
) -> None:
    """In those environments, or in all that the project has. Raises Told."""
    if not subject:
        raise Told("a subject is not empty: give the targetingKey of whoever is to be forgotten")
    environments = environments or environments_of(settings, project)
    dynamodb = dynamodb_client(settings.aws_endpoint_url, settings.aws_region)
    tables = Tables(dynamodb, settings.usage_table, settings.records_table, settings.original_table)
    with aws_told(), _bar(err) as bar:

        def settle() -> None:
            task = bar.add_task("seconds until every consumer knows", total=round(settling_seconds))
            for _ in bar.track(range(round(settling_seconds)), task_id=task):
                time.sleep(1)

        names = names_of(settings, project, subject, err)
        deleted = forget(tables, project, environments, names, now=time.time(), settle=settle)
    _print(out, f"{deleted.records} records were deleted in {', '.join(environments)} of {project}")
    if settings.original_table:
        _print(out, f"{deleted.originals} items were deleted in {settings.original_table}")


def names_of(settings: Settings, project: str, subject: str, err: Console) -> list[str]:
    """As itself, and as it is stored where subjects are pseudonymised."""
    if secret := settings.secret or settings.admin_key:
        return [subject, pseudonym(secret, project, subject)]
    _print(
        err,
        "Only what was recorded under the subject's own name is forgotten: its pseudonym is not known without"
        " TOGGLEMASTER_SECRET, or TOGGLEMASTER_ADMIN_KEY, as the evaluators have it.",
    )
    return [subject]


def environments_of(settings: Settings, project: str) -> list[str]:
    """As the log has them. Raises Told."""
    with closing(EventStore(settings.postgres_url, PATIENCE_SECONDS)) as store:
        try:
            return list(existing(UnitOfWork(store).project(project), project).environments)
        except StoreUnavailable as problem:
            raise Told(
                f"TOGGLEMASTER_POSTGRES_URL: {problem}; with --environment it is not asked"
            ) from problem
        except Refused as problem:
            raise Told(str(problem)) from problem


def _bar(err: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err)


def _print(to: Console, text: str) -> None:
    to.print(text, soft_wrap=True, highlight=False, markup=False)
