"""`togglemaster projections snapshots`: looking after what makes the past quick to ask.

Each command imports what it runs when it runs, as those in cli.py do.
"""

import typer
from rich.console import Console

from deploy.settings import Settings, read_settings

app = typer.Typer(
    help="Look after the snapshots that make the past quick to ask.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out, err = Console(), Console(stderr=True)


@app.command()
def rebuild() -> None:
    """Make every snapshot anew from the log, in place of what is there. Exits 1 when some cannot be made."""
    from deploy.snapshots_work import rebuild_snapshots

    if not rebuild_snapshots(_settings(), out, err):
        raise typer.Exit(1)


@app.command()
def verify() -> None:
    """Work every snapshot out from the log and compare. Exits 1 and names what differs."""
    from deploy.snapshots_work import verify_snapshots

    if not verify_snapshots(_settings(), out, err):
        raise typer.Exit(1)


def _settings() -> Settings:
    from deploy.logs import configure_logging

    found = read_settings()
    configure_logging(found)
    return found
