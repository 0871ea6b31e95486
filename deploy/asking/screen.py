"""Where answers are shown: as JSON for machines, or as text that is never cut."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from deploy.asking.text import moment, plain, when

UNFOLDED = 10_000  # columns of what is no terminal: whoever reads it folds it, or greps it, line by line
SHALLOWEST = 4  # a quarter of a narrow terminal is as far as anything is indented
POSITION, TIME, NOTE = "bold cyan", "dim", "italic"

Piece = str | tuple[str, str]
"""Text, or text with a style. It may be anybody's: nothing in it is markup."""


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else UNFOLDED
    return Console(stderr=stderr, width=width, highlight=False)


@dataclass(frozen=True, slots=True)
class Screen:
    as_json: bool = False
    utc: bool = False
    out: Console = field(default_factory=_console)
    err: Console = field(default_factory=lambda: _console(stderr=True))

    def beside(self) -> "Screen":
        """For people, where standard output is for machines."""
        return replace(self, as_json=False, out=self.err) if self.as_json else self

    def show(self, answer: Any, tell: Callable[["Screen", Any], None]) -> None:
        if self.as_json:
            print(json.dumps(answer, indent=2))  # noqa: T201 - for a program, not for reading
        else:
            tell(self, answer)

    def say(self, *pieces: Piece, indent: int = 0) -> None:
        """Folded between words, and every line indented."""
        text, indent = _text(pieces), self._indent(indent)
        for line in text.wrap(self.out, self.out.width - indent, overflow="fold"):
            self._line(line, indent)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]], *, indent: int = 0) -> None:
        """Where the terminal is narrower than its words, a block for each row."""
        grid = _grid(headers, rows)
        options = self.out.options.update_width(self.out.width - self._indent(indent))
        unfolded = options.update_width(UNFOLDED)
        if Measurement.get(self.out, unfolded, grid).minimum > options.max_width:
            self._blocks(headers, rows, indent)
            return
        for segments in self.out.render_lines(grid, options, pad=False):
            pieces = ((each.text, each.style or "") for each in segments)
            self._line(Text.assemble(*pieces), self._indent(indent))

    def when(self, at: str) -> str:
        return when(at, utc=self.utc)

    def moment(self, given: str, option: str, *, positions: bool = True) -> str:
        return moment(given, option, utc=self.utc, positions=positions)

    def _blocks(self, headers: Sequence[str], rows: Sequence[Sequence[str]], indent: int) -> None:
        for row in rows:
            for header, cell in zip(headers, row, strict=True):
                self.say((f"{header}: ", "bold"), cell, indent=indent)
            self.out.print()

    def _line(self, line: Text, indent: int) -> None:
        line.rstrip()
        self.out.print(Text(" " * indent) + line, soft_wrap=True)

    def _indent(self, wished: int) -> int:
        return min(wished, self.out.width // SHALLOWEST)


def _text(pieces: Sequence[Piece]) -> Text:
    return Text.assemble(*_plain(pieces))


def _plain(pieces: Sequence[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        text, style = (piece, "") if isinstance(piece, str) else piece
        yield plain(text), style


def _grid(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header in headers:
        grid.add_column(Text(header), overflow="fold")
    for row in rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    return grid
