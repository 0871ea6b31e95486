"""What is written down of a single evaluation, where anything is."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from domain.recording import Recording, RecordingMode, pseudonym
from domain.targeting import TARGETING_KEY
from projections.records_table import ATTRIBUTE_VALUE_LENGTH, SUBJECT_LENGTH
from workers.tally import Counter

NO_PSEUDONYMS = (
    "subjects are left out of records where they are to be pseudonymised, as there is no secret to do it"
    " with: set TOGGLEMASTER_SECRET, or TOGGLEMASTER_ADMIN_KEY, as the management API has it"
)
ATTRIBUTE_CLASSES = (str, int, float, bool)
HEADS_KEPT = 10_000

Context = Mapping[str, Any]


class Keeping(NamedTuple):
    """`recording` with what the installation says where it is silent."""

    recording: Recording
    mode: RecordingMode
    secret: str

    def lines(
        self, counters: Iterable[Counter], subject: str | None, context: Context, position: int, now: float
    ) -> bytes:
        """One for each of the counters; none where the subject's name is too long to be kept."""
        attributes = self._attributes(context) if self.recording.attributes else b"{}"
        rest = b",%d,%d,%b\n" % (position, int(now * 1_000), attributes)
        if subject is None:
            rest = b"null" + rest
        elif self.recording.pseudonymise:
            return b"".join([_head(each) + self._pseudonym(each[0], subject) + rest for each in counters])
        elif len(subject) > SUBJECT_LENGTH:
            return b""
        else:
            rest = orjson.dumps(_clean(subject)) + rest
        return b"".join([_head(each) + rest for each in counters])

    def _pseudonym(self, project: str, subject: str) -> bytes:
        """Without a secret there is none, and the subject is left out."""
        return b'"%b"' % pseudonym(self.secret, project, subject).encode() if self.secret else b"null"

    def _attributes(self, context: Context) -> bytes:
        """What was there and cannot be kept, a list say, is null: that is not the same as not there."""
        found: dict[str, Any] = {}
        for name in self.recording.attributes:
            value = context.get(name)
            if value.__class__ in ATTRIBUTE_CLASSES:
                found[name] = _clean(value[:ATTRIBUTE_VALUE_LENGTH]) if isinstance(value, str) else value
            elif value is not None:
                found[name] = None
        return orjson.dumps(found)


def subject_of(context: Context) -> str | None:
    subject = context.get(TARGETING_KEY)
    return subject if subject.__class__ is str else None


def keeping_of(recording: Recording, installed: RecordingMode, secret: str) -> Keeping:
    return Keeping(recording, recording.mode or installed, secret)


@lru_cache(HEADS_KEPT)
def _head(counter: Counter) -> bytes:
    project, environment, flag, reason, variant = counter
    return orjson.dumps([project, environment, flag, variant, reason])[1:-1] + b","


def _clean(text: str) -> str:
    """Half a surrogate pair cannot be sent."""
    return text if text.isascii() else text.encode(errors="replace").decode()
