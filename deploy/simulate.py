"""`togglemaster simulate`: what would happen, before there is a cluster for it to happen in.

The command imports what it runs when it runs, as those in cli.py do.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.scaling.hpa import DOWN
from deploy.scaling.profiles import Name, Profile, named, read
from deploy.scaling.report import Limits
from deploy.scaling.scalers import CpuSpec, QueueSpec
from deploy.scaling.simulation import Plan

app = typer.Typer(
    help="See what would happen, before there is a cluster for it to happen in.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console()

PEAK = 200_000.0  # evaluations a second: eight evaluators are half busy with it
CPU, QUEUE, PLAN, LIMITS = CpuSpec(), QueueSpec(), Plan(), Limits()
MEASURED, EVALUATORS, CONSUMERS, ALLOWED = "Measured rates", "Evaluators (HPA)", "Consumers (KEDA)", "Limits"


@app.callback()
def simulate() -> None:
    """See what would happen, before there is a cluster for it to happen in."""


@app.command()
def scaling(
    profile: Annotated[Name, typer.Argument(help="Traffic over time.")] = Name.DAILY,
    csv: Annotated[Path | None, typer.Option(help="Traffic of your own: lines seconds,rate.")] = None,
    peak: Annotated[float, typer.Option(min=0, help="Most evaluations a second of a named profile.")] = PEAK,
    picture: Annotated[Path | None, typer.Option(help="Draw it into this PNG.")] = None,
    evaluation_microseconds: Annotated[
        float, typer.Option(min=0.1, help="CPU of an evaluation.", rich_help_panel=MEASURED)
    ] = PLAN.evaluation_microseconds,
    message_evaluations: Annotated[
        float, typer.Option(min=1, help="Evaluations in a full message.", rich_help_panel=MEASURED)
    ] = PLAN.message_evaluations,
    consumer_messages: Annotated[
        float, typer.Option(min=0.1, help="Messages a second of one consumer.", rich_help_panel=MEASURED)
    ] = PLAN.consumer_messages,
    pod_start: Annotated[
        int, typer.Option(min=0, help="Seconds until a new pod is ready.", rich_help_panel=MEASURED)
    ] = PLAN.pod_start_seconds,
    cores_requested: Annotated[
        float, typer.Option(min=0.01, help="Of one evaluator.", rich_help_panel=EVALUATORS)
    ] = PLAN.cores_requested,
    cores: Annotated[
        float,
        typer.Option(min=0.01, max=1, help="That one evaluator may use.", rich_help_panel=EVALUATORS),
    ] = PLAN.cores,
    cpu_target: Annotated[
        float, typer.Option(min=1, help="Percent of the request.", rich_help_panel=EVALUATORS)
    ] = CPU.target * 100,
    evaluation_min: Annotated[int, typer.Option(min=1, rich_help_panel=EVALUATORS)] = CPU.minimum,
    evaluation_max: Annotated[int, typer.Option(min=1, rich_help_panel=EVALUATORS)] = CPU.maximum,
    queue_length: Annotated[
        float, typer.Option(min=0.1, help="Messages for each.", rich_help_panel=CONSUMERS)
    ] = QUEUE.queue_length,
    consumer_min: Annotated[int, typer.Option(min=0, rich_help_panel=CONSUMERS)] = QUEUE.minimum,
    consumer_max: Annotated[int, typer.Option(min=1, rich_help_panel=CONSUMERS)] = QUEUE.maximum,
    polling: Annotated[
        int, typer.Option(min=1, help="Seconds between looks at the queue.", rich_help_panel=CONSUMERS)
    ] = QUEUE.polling_seconds,
    cooldown: Annotated[
        int, typer.Option(min=0, help="Idle seconds before there is none.", rich_help_panel=CONSUMERS)
    ] = QUEUE.cooldown_seconds,
    cached: Annotated[
        bool,
        typer.Option("--cached", help="useCachedMetrics: those of the poll.", rich_help_panel=CONSUMERS),
    ] = QUEUE.cached,
    scale_down_window: Annotated[
        int,
        typer.Option(min=0, max=3_600, help="Seconds before fewer are had.", rich_help_panel=ALLOWED),
    ] = DOWN.window_seconds,
    evaluation_lag: Annotated[
        int, typer.Option(min=0, help="Seconds that an evaluation may wait.", rich_help_panel=ALLOWED)
    ] = LIMITS.evaluation_lag,
    consumer_lag: Annotated[
        int, typer.Option(min=0, help="Seconds that a message may wait.", rich_help_panel=ALLOWED)
    ] = LIMITS.consumer_lag,
) -> None:
    """Play Kubernetes' HPA and KEDA over traffic: replicas, what waits, and whether your limits hold.

    Exits 1 when they do not, and says what to change. Nothing is started, and no cluster is asked.
    """
    from deploy.scaling.show import show

    evaluators, consumers = (each.down._replace(window_seconds=scale_down_window) for each in (CPU, QUEUE))
    plan = Plan(
        CpuSpec(evaluation_min, evaluation_max, cpu_target / 100, evaluators),
        QueueSpec(
            queue_length,
            consumer_min,
            consumer_max,
            polling,
            cooldown,
            cached=cached,
            down=consumers,
        ),
        evaluation_microseconds,
        cores_requested,
        cores,
        message_evaluations,
        consumer_messages,
        pod_start,
    )
    if not show(plan, _traffic(profile, csv, peak), Limits(evaluation_lag, consumer_lag), picture, out):
        raise typer.Exit(1)


def _traffic(profile: Name, csv: Path | None, peak: float) -> Profile:
    return read(csv) if csv else named(profile, peak)
