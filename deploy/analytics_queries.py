"""`togglemaster analytics compact`, `export`, `verify` and `rebuild`; joins the commands of analytics.py.

Each command imports what it runs when it runs, as those in cli.py do.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from deploy.analytics import settings

app = typer.Typer(pretty_exceptions_enable=False)
out, err = Console(), Console(stderr=True)

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
Project = Annotated[str, typer.Option()]
Environment = Annotated[str, typer.Option()]
From = Annotated[datetime, typer.Option("--from", formats=FORMATS, help="UTC, inclusive.")]
To = Annotated[datetime, typer.Option("--to", formats=FORMATS, help="UTC, exclusive.")]


@app.command()
def compact() -> None:
    """Add up the minutes of every hour that is over and waits for it. Consumers do so by themselves."""
    from deploy.analytics_reports import compact_hours

    compact_hours(settings(), out, err)


@app.command()
def export(
    start: From,
    end: To,
    output: Annotated[Path, typer.Option(help="The file; it appears when it is whole.")],
    project: Project = "default",
    environment: Environment = "production",
    flag: Annotated[str, typer.Option(help="Only this one; by default every flag that was evaluated.")] = "",
    format: Annotated[Literal["jsonl", "parquet"], typer.Option()] = "jsonl",  # noqa: A002 - the option's name
) -> None:
    """Write the records of single evaluations to a file, flag by flag, the oldest first."""
    from deploy.analytics_reports import Window, export_records

    window = Window(project, environment, start, end)
    export_records(settings(), window, flag, output, format, out, err)


@app.command()
def verify(
    start: From, end: To, project: Project = "default", environment: Environment = "production"
) -> None:
    """Count the records again and compare. Exits 1 and shows where counts and records differ.

    Counts without records are no fault of the counts where an environment does not record all its
    evaluations, or records were dropped, forgotten or have expired. Give an end a few minutes ago: what is
    under way is counted and recorded at different moments.
    """
    from deploy.analytics_reports import Window, verify_counts

    if not verify_counts(settings(), Window(project, environment, start, end), out, err):
        raise typer.Exit(1)


@app.command()
def rebuild(
    start: From, end: To, project: Project = "default", environment: Environment = "production"
) -> None:
    """Make counts anew where records prove more than is counted. No count becomes smaller."""
    from deploy.analytics_reports import Window, rebuild_counts

    rebuild_counts(settings(), Window(project, environment, start, end), out, err)
