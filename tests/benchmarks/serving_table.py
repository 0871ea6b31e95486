"""The figures as tables for a terminal."""

from collections.abc import Iterator

from rich.table import Table

from tests.benchmarks.serving_figures import (
    Results,
    Sample,
    Samples,
    Spread,
    figure,
    percentiles,
    ratio,
    spread,
)

NGINX, UVICORN = "nginx, fixed answer", "uvicorn, fixed answer"
QUIET, STORM, SLOW = "quiet", "50 commands a second", "1,000 slow clients"
HUNG, GONE = "Redis hangs", "Redis and PostgreSQL killed"
NOTIFIED, POLLED = "NOTIFY arrives", "NOTIFY is dead"
RATIO_DIGITS, MS_DIGITS = 2, 2
SPREAD = "median, below it min..max of the rounds"


def tables(results: Results) -> Iterator[Table]:
    if results.single:
        yield _single(results.single)
    if results.bulk:
        yield _bulk(results.bulk, results.bulk_flags)
    bad_days = {
        "During a storm of commands": results.storm,
        "Slow clients": results.slow,
        "Without what it depends on": results.outage,
    }
    for title, group in bad_days.items():
        if group:
            yield _against_quiet(title, group)
    if results.propagation:
        yield _propagation(results)


def _table(title: str, caption: str, *headings: str) -> Table:
    table = Table(title=title, caption=caption, show_lines=True)
    table.add_column(headings[0])
    for heading in headings[1:]:
        table.add_column(heading, justify="right")
    return table


def _single(group: Samples) -> Table:
    table = _table(
        "One evaluation a request",
        f"{SPREAD}; CPU is the server's for a request; wrk is how busy the core of the load was with it",
        *("who answers", "requests/s", "x nginx", "x uvicorn", "CPU x nginx"),
        *("p50 ms", "p99 ms", "CPU µs", "wrk"),
    )
    for case, samples in group.items():
        ratios = [_ratio(samples, group.get(base)) for base in (NGINX, UVICORN)]
        ratios.append(_ratio(samples, group.get(NGINX), "server_us"))
        table.add_row(case, _said(samples, "per_second"), *ratios, *_costs(samples))
    return table


def _bulk(group: Samples, flags: dict[str, int]) -> Table:
    table = _table(
        "Many evaluations a request",
        f"{SPREAD}; CPU is the server's for one flag",
        *("mix and flags", "requests/s", "million flags/s", "p50 ms", "p99 ms", "CPU ns"),
    )
    for case, samples in group.items():
        many = flags[case]
        millions = said(spread(sample.per_second * many / 1e6 for sample in samples), 3)
        cpu = said(spread(sample.server_us * 1e3 / many for sample in samples))
        latency = (_said(samples, name, MS_DIGITS) for name in ("p50_ms", "p99_ms"))
        table.add_row(case, _said(samples, "per_second"), millions, *latency, cpu)
    return table


def _against_quiet(title: str, group: Samples) -> Table:
    table = _table(
        title,
        f"{SPREAD}; ratios within a round",
        *("", "requests/s", "x quiet", "p99 x quiet", "p50 ms", "p99 ms", "CPU µs", "wrk"),
    )
    for case, samples in group.items():
        rates = _said(samples, "per_second"), _ratio(samples, group[QUIET])
        table.add_row(case, *rates, _ratio(samples, group[QUIET], "p99_ms"), *_costs(samples))
    return table


def _costs(samples: list[Sample]) -> tuple[str, ...]:
    """Latency, the server's CPU, and whether it was wrk that could do no more."""
    latency = (_said(samples, name, MS_DIGITS) for name in ("p50_ms", "p99_ms"))
    return *latency, _said(samples, "server_us", 1), f"{figure(samples, 'load_busy').median:.0%}"


def _propagation(results: Results) -> Table:
    table = _table(
        "From commit to served answer",
        f"{SPREAD}; from just before the INSERT to the answer, 1 ms coarse",
        *("", "p50 ms", "p99 ms", "max ms", "commands/s", "evaluations/s", "commits"),
    )
    for case, rounds in results.propagation.items():
        delays = (said(percentiles(rounds, percent), 1) for percent in (50, 99, 100))
        rates = (
            said(spread(getattr(each, name) for each in rounds))
            for name in ("commands_a_second", "evaluations_a_second")
        )
        table.add_row(case, *delays, *rates, f"{sum(len(each.milliseconds) for each in rounds):,}")
    return table


def _said(samples: list[Sample], name: str, digits: int = 0) -> str:
    return said(figure(samples, name), digits)


def _ratio(samples: list[Sample], base: list[Sample] | None, name: str = "per_second") -> str:
    return said(ratio(samples, base, name), RATIO_DIGITS) if base else "not measured"


def said(value: Spread, digits: int = 0) -> str:
    middle, least, most = (f"{number:,.{digits}f}" for number in value)
    return f"{middle}\n{least}..{most}"
