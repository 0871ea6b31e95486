"""`togglemaster analytics`: looking after the queue and the tables of evaluation results."""

import typer

app = typer.Typer(
    help="Look after the queue and the tables of evaluation results.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
