"""Which platform is loaded: what `togglemaster dev --ready-file` wrote, or what the command line says."""

import json
import os
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from deploy.settings import Settings
from deploy.told import Told

ReadyFile = Annotated[
    Path | None, typer.Option(help="What `togglemaster dev --ready-file` wrote; instead of the next two.")
]
Url = Annotated[str, typer.Option(help="The evaluation API, such as http://127.0.0.1:8081.")]
Key = Annotated[
    str, typer.Option(envvar="TOGGLEMASTER_EVALUATION_KEY", help="A server key of the environment.")
]
Flag = Annotated[str, typer.Option(help="The flag that is asked for.")]
P99 = Annotated[float, typer.Option("--p99-ms", min=0, help="Milliseconds that 99 of 100 may take.")]


class Platform(NamedTuple):
    evaluation_url: str
    key: str
    settings: Settings


def platform_of(ready_file: Path | None, url: str, key: str, *, evaluates: bool = True) -> Platform:
    """Raises Told where something is missing."""
    if ready_file is None:
        if evaluates and not (url and key):
            raise Told("give --ready-file, or --url and --key (or TOGGLEMASTER_EVALUATION_KEY)")
        return Platform(url, key, Settings())
    try:
        ready = json.loads(ready_file.read_text())
        found = ready["evaluation_url"], ready["evaluation_key"], ready["aws_endpoint_url"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise Told(
            f"{ready_file} is not what `togglemaster dev --ready-file` writes: {problem!r}"
        ) from problem
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "local")  # the AWS client wants some; the embedded parts accept any
    return Platform(found[0], found[1], Settings(aws_endpoint_url=found[2]))
