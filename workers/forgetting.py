"""What was recorded of a subject, deleted; and what is still on its way, stored without the subject."""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from projections.forgotten import READ_AGAIN_SECONDS
from workers.evaluation_store import Tables
from workers.original_messages import PROJECT

SETTLING_SECONDS = READ_AGAIN_SECONDS + 10  # until every consumer reads the list, and ends the batch at hand


class Deleted(NamedTuple):
    records: int = 0
    originals: int = 0


def forget(
    tables: Tables,
    project: str,
    environments: Iterable[str],
    subjects: Iterable[str],
    *,
    now: float,
    settle: Callable[[], None] = lambda: time.sleep(SETTLING_SECONDS),
) -> Deleted:
    """Those names of one subject, up to `now`, in seconds since 1970.

    Deletes, lets consumers `settle` that may not know yet, and deletes what they stored meanwhile.
    Raises botocore's errors, and Throttled.
    """
    until, environments, subjects = int(now * 1_000), list(environments), list(subjects)
    for subject in subjects:
        tables.forgotten.add(project, subject, until)
    first = _delete(tables, project, environments, subjects, until)
    settle()
    then = _delete(tables, project, environments, subjects, until)
    return Deleted(first.records + then.records, first.originals + then.originals)


def _delete(
    tables: Tables, project: str, environments: list[str], subjects: list[str], until: int
) -> Deleted:
    records = sum(
        tables.records.delete_subject(project, environment, subject, until)
        for environment in environments
        for subject in subjects
    )
    if tables.original is None or project != PROJECT:
        return Deleted(records)
    return Deleted(records, sum(tables.original.delete_user(subject) for subject in subjects))
