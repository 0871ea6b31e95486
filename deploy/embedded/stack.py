"""The three servers together."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.embedded.aws import launch_aws
from deploy.embedded.postgres import launch_postgres
from deploy.embedded.process import Launch, Part, await_health, stop
from deploy.embedded.valkey import launch_valkey

NAMES = ("aws", "valkey", "postgres")


@dataclass(frozen=True)
class Stack:
    postgres: Part
    valkey: Part
    aws: Part


@contextmanager
def embedded_stack(data_dir: Path, *, durable: bool = True) -> Iterator[Stack]:
    """All three, stopped on the way out. Raises EmbeddedError; then none is left running."""
    with embedded_parts(data_dir, NAMES, durable=durable) as parts:
        yield Stack(**parts)


@contextmanager
def embedded_parts(
    data_dir: Path, names: Collection[str], *, durable: bool = True
) -> Iterator[Mapping[str, Part]]:
    """Those of the three that are named, by name; stopped on the way out. Raises EmbeddedError."""
    launchers: dict[str, Callable[[Path], Launch]] = {
        "aws": launch_aws,
        "valkey": launch_valkey,
        "postgres": partial(launch_postgres, durable=durable),
    }
    with ExitStack() as running:
        # The slow starters begin while PostgreSQL makes its files. Not in threads: see die_with_parent.
        launches: list[Launch] = []
        for name in (each for each in NAMES if each in names):
            launches.append(launchers[name](data_dir))
            running.callback(stop, launches[-1].part)
        yield {launch.part.name: await_health(launch) for launch in launches}
