"""The command line, `togglemaster`.

Each command imports what it runs when it runs, so that no process carries, or waits for, the others' parts.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from commands.importers import VendorName
from deploy import analytics, analytics_queries, imports, simulate, snapshots
from deploy.asking import commands as asking
from deploy.settings import EVALUATION_PORT, MANAGEMENT_PORT, ORIGINAL_PORT, Settings, read_settings
from deploy.told import Told

app = typer.Typer(
    help="ToggleMaster: feature flags in which every change is an event.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
serve = typer.Typer(help="Run one of the HTTP processes.", no_args_is_help=True)
work = typer.Typer(help="Run one of the background processes.", no_args_is_help=True)
projections = typer.Typer(help="Look after the read model in Redis.", no_args_is_help=True)
app.add_typer(serve, name="serve")
app.add_typer(work, name="work")
app.add_typer(projections, name="projections")
projections.add_typer(snapshots.app, name="snapshots")
audit = typer.Typer(help="Look after the log of events.", no_args_is_help=True)
app.add_typer(audit, name="audit")
analytics.app.add_typer(analytics_queries.app)
app.add_typer(analytics.app, name="analytics")
app.add_typer(imports.app, name="import")
app.add_typer(simulate.app, name="simulate")
app.add_typer(asking.app)

out, err = Console(), Console(stderr=True)


@app.command()
def dev(
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where everything is kept between runs; by default the user's data directory."),
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="Write addresses, keys and pids here, as JSON, once all answers."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the management API.")] = MANAGEMENT_PORT,
    evaluation_port: Annotated[int, typer.Option(help="Port of the evaluation API.")] = EVALUATION_PORT,
    original_ports: Annotated[
        bool,
        typer.Option("--original-ports", help="Listen on the original system's five ports too."),
    ] = False,
    original_first_port: Annotated[
        int, typer.Option(help="The first of those five, which follow each other.")
    ] = ORIGINAL_PORT,
    demo: Annotated[
        bool, typer.Option("--demo", help="Make more sample flags, and ask for them without pause.")
    ] = False,
) -> None:
    """Run the whole platform on this machine, with its own PostgreSQL, Valkey, SQS and DynamoDB.

    A part whose address is in the environment (TOGGLEMASTER_POSTGRES_URL, TOGGLEMASTER_REDIS_URL,
    TOGGLEMASTER_AWS_ENDPOINT_URL) is used instead of starting one. Ctrl-C ends everything.
    """
    from deploy.dev import default_data_dir, run_dev

    run_dev(
        data_dir or default_data_dir(),
        ready_file=ready_file,
        ports=(port, evaluation_port),
        original_port=original_first_port if original_ports else None,
        with_demo=demo,
        console=out,
    )


@app.command()
def setup() -> None:
    """Make tables, queues and the first project where they are missing. Run it before the processes."""
    from deploy.processes.setup import set_up

    for each in set_up(_settings()):
        err.print(str(each), highlight=False, markup=False)
    err.print("Tables, queues and project 'default' are there.")


@app.command()
def key() -> None:
    """Make an administrator's key, for TOGGLEMASTER_ADMIN_KEY."""
    from commands.secret_keys import new_key

    print(new_key("admin")[1])  # noqa: T201 - for the shell, not for reading


@serve.command("management")
def serve_management() -> None:
    """The management API: commands, lists, analytics (port 8080)."""
    from deploy.processes.http import serve as run
    from deploy.processes.management import build

    settings = _settings()
    run(build(settings), settings, MANAGEMENT_PORT)


@serve.command("evaluation")
def serve_evaluation() -> None:
    """The evaluation API: OFREP, answered from memory (port 8081)."""
    from functools import partial

    from api.evaluation.event_streams import end_streams
    from deploy.processes.evaluation import build
    from deploy.processes.http import serve as run

    settings = _settings()
    app = build(settings)
    run(app, settings, EVALUATION_PORT, lane=app.state.lane, stopping=partial(end_streams, app))


@work.command("projector")
def work_projector() -> None:
    """Keep the ruleset in Redis and the catalogue in PostgreSQL in step with the log. Any number may run."""
    from deploy.processes.projector import run

    run(_settings())


@work.command("consumer")
def work_consumer() -> None:
    """Take evaluation results from SQS into DynamoDB. Any number may run."""
    from deploy.processes.consumer import run

    run(_settings())


@work.command("webhooks")
def work_webhooks() -> None:
    """Tell webhooks of events, signed and in order. Any number may run."""
    from deploy.processes.webhooks import run

    run(_settings())


@work.command("scheduler")
def work_scheduler() -> None:
    """Apply scheduled changes and take the steps of rollout plans when they are due. Any number may run."""
    from deploy.processes.scheduler import run

    run(_settings())


@app.command()
def canary(
    once: Annotated[
        bool, typer.Option("--once", help="Flip once and say how long it took; exits 1 when it failed.")
    ] = False,
) -> None:
    """Flip a flag of its own every minute, and measure until the evaluation API serves it."""
    from deploy.processes.canary import run, run_once

    if once:
        out.print(f"served {run_once(_settings()):.3f} s after the command was answered", highlight=False)
    else:
        run(_settings())


@projections.command("rebuild")
def projections_rebuild(
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the generation that the last rebuild replaced.")
    ] = False,
) -> None:
    """Make the ruleset anew from the log, check it and swap it in. The old one serves until then."""
    from deploy.read_model import rebuild_ruleset, roll_back

    if rollback:
        roll_back(_settings(), out)
    else:
        rebuild_ruleset(_settings(), out, err)


@projections.command("verify")
def projections_verify() -> None:
    """Compare the ruleset in Redis with what the log says. Exits 1 and names what differs or is frozen."""
    from deploy.read_model import verify_ruleset

    if not verify_ruleset(_settings(), out, err):
        raise typer.Exit(1)


@projections.command("status")
def projections_status() -> None:
    """Show the live generation, how far it is behind the log, what is frozen, and who writes it."""
    from deploy.read_model import show_status

    show_status(_settings(), out)


@audit.command("verify")
def audit_verify(
    expect: Annotated[
        str | None,
        typer.Option(help="POSITION:HASH that an earlier run told; finds a log that was rewritten whole."),
    ] = None,
) -> None:
    """Hash every event again and compare with the chain. Exits 1 and names what was altered or deleted.

    Keep the POSITION:HASH it tells somewhere else, and give it to later runs.
    """
    from deploy.audit import verify_log

    if not verify_log(_settings(), expect, out, err):
        raise typer.Exit(1)


@app.command("export")
def export_flags(
    project: Annotated[str, typer.Option()] = "default",
    environment: Annotated[str, typer.Option()] = "production",
) -> None:
    """Print one environment's flags and segments as JSON; `togglemaster import togglemaster` reads it."""
    from deploy.transfer import export_file

    found = export_file(_settings(), project=project, environment=environment)
    print(json.dumps(found, indent=2, ensure_ascii=False))  # noqa: T201 - for a file, not for reading


@app.command("evaluate")
def evaluate_file(
    file: Annotated[
        Path | None,
        typer.Argument(help="The vendor's JSON; without it the flags in the log."),
    ] = None,
    source: Annotated[
        VendorName, typer.Option("--from", metavar="VENDOR", help=" · ".join(VendorName))
    ] = VendorName.TOGGLEMASTER,
    project: Annotated[str, typer.Option(help="Of the log, not of a file; so are the next two.")] = "default",
    environment: Annotated[str, typer.Option()] = "production",
    at: Annotated[
        str, typer.Option(help="As it was: a position of the log, or a time like 2026-11-23T09:30:00Z.")
    ] = "",
) -> None:
    """Evaluate flags without a server: those of a file, or those of the log, as they are or once were.

    Reads questions from standard input, a line of JSON each: {"flag", "context", "default"?, "type"?}.
    Writes an answer a line, in the same order: {"flag", "value", "variant", "reason", "metadata"}, and
    "errorCode" with "errorDetails" where there is none.
    """
    from commands.importers.vendors import vendor
    from deploy.past import ruleset_then
    from deploy.transfer import read_file, tell_refusals
    from deploy.try_out import answers

    if file is None:
        found = answers(ruleset_then(_settings(), project, environment, at), sys.stdin)
    elif at:
        raise Told("--at is for the flags of the log; a file has no history")
    else:
        imported = read_file(source, file)
        tell_refusals(imported, err)
        found = answers(imported.ruleset(), sys.stdin, vendor(source).context_of)
    for answer in found:
        print(answer, flush=True)  # noqa: T201 - for a program, not for reading


def _settings() -> Settings:
    from deploy.logs import configure_logging

    settings = read_settings()
    configure_logging(settings)
    return settings


def main() -> None:
    """A fault that a person can do something about is told in a sentence; others keep their traceback."""
    try:
        app()
    except Told as problem:
        err.print(f"togglemaster: {problem}", soft_wrap=True, highlight=False, markup=False)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
