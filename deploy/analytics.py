"""`togglemaster analytics`: looking after the queue and the tables of evaluation results.

Each command imports what it runs when it runs, as those in cli.py do.
"""

from typing import Annotated

import typer
from rich.console import Console

from deploy.settings import Settings, read_settings

app = typer.Typer(
    help="Look after the queue and the tables of evaluation results.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out, err = Console(), Console(stderr=True)


@app.command()
def setup() -> None:
    """Make queues and tables where they are missing, and what they lack. Part of `togglemaster setup`."""
    from deploy.processes.setup import set_up_analytics

    for found in set_up_analytics(settings()):
        out.print(str(found), highlight=False, markup=False)


@app.command()
def redrive(
    limit: Annotated[int | None, typer.Option(min=1, help="Move this many at most.")] = None,
) -> None:
    """Send what is in the dead-letter queue to the queue once more. What it says is never stored twice."""
    from deploy.analytics_work import redrive_dead_letters

    redrive_dead_letters(settings(), limit, out, err)


@app.command()
def forget(
    subject: Annotated[str, typer.Argument(help="The targetingKey of the subject.")],
    project: Annotated[str, typer.Option()] = "default",
    environment: Annotated[
        list[str] | None,
        typer.Option(help="Only this one, which may be given several times; by default all of the project."),
    ] = None,
) -> None:
    """Delete every record of a subject, and store what is still on its way without it.

    Takes as long as consumers need to know of it, about 40 seconds. Safe to repeat.
    """
    from deploy.analytics_work import forget_subject

    forget_subject(settings(), project, environment or [], subject, out, err)


def settings() -> Settings:
    from deploy.logs import configure_logging

    found = read_settings()
    configure_logging(found)
    return found
