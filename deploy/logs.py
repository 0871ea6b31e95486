"""How a log is written: as text for whoever reads along, or as a JSON object a line for what collects logs.

Nothing here logs secrets on purpose. But an error that nobody foresaw may quote what it was given, so what
looks like a credential, and what the settings say is one, is taken out of every line.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import unquote, urlsplit

from api.current import CURRENT_REQUEST
from deploy.settings import Settings

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
HIDDEN = "[hidden]"
SHORTEST = 4  # characters; shorter secrets are in too many words that are none
CREDENTIALS = (
    r"\btm_[a-z]+_[A-Za-z0-9_.-]{8,}",  # keys and tokens of ours
    r"\bwhsec_[A-Za-z0-9+/=]{8,}",  # secrets of webhooks
    r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",  # JWTs
    r"(?i:(?<=bearer )|(?<=basic ))[A-Za-z0-9+/=._~-]{4,}",
    r"(?<=[?&]token=)[^&\s\"']+",  # of event streams
    r"(?<=[?&]link=)[^&\s\"']+",  # that sign in to the console
    r"(?<=://)[^\s/@:]*:[^\s/@]*(?=@)",  # user and password in an address
)

ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure_logging(settings: Settings) -> None:
    """To standard error; for the beginning of a process."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(settings))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it announces where it found credentials
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it tells every address it asks, query and all
    logging.captureWarnings(capture=True)
    sys.excepthook = lambda *error: log_unhandled("the process", error)
    threading.excepthook = lambda found: log_unhandled(
        found.thread.name if found.thread else "a thread",
        (found.exc_type, found.exc_value or found.exc_type(), found.exc_traceback),
    )


def log_unhandled(what: str, error: ErrorInfo) -> None:
    if not issubclass(error[0], KeyboardInterrupt):
        logging.getLogger("togglemaster").critical("%s ended on an error", what, exc_info=error)


def formatter(settings: Settings) -> logging.Formatter:
    hide = hider(settings)
    return JsonLines(hide) if settings.log_format == "json" else Text(hide)


class Hider:
    """Takes secrets out of a text."""

    def __init__(self, pattern: str) -> None:
        self._found = re.compile(pattern)

    def __call__(self, text: str) -> str:
        return self._found.sub(HIDDEN, text)


def hider(settings: Settings) -> Hider:
    known = sorted({each for each in _secrets(settings) if len(each) >= SHORTEST}, key=len, reverse=True)
    return Hider("|".join([*map(re.escape, known), *CREDENTIALS]))


def _secrets(settings: Settings) -> Iterator[str]:
    yield from (settings.admin_key, settings.secret)
    for url in (settings.postgres_url, settings.redis_url):
        password = urlsplit(url).password or ""
        yield from (password, unquote(password))


class Text(logging.Formatter):
    def __init__(self, hide: Hider) -> None:
        super().__init__(TEXT)
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        return self._hide(super().format(record))


class JsonLines(logging.Formatter):
    """`request_id`, `trace_id`, `span_id` and `exception` are absent where there is none."""

    def __init__(self, hide: Hider) -> None:
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        found = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._hide(record.getMessage()),
            "request_id": CURRENT_REQUEST.get(),
            "trace_id": getattr(record, "trace_id", ""),
            "span_id": getattr(record, "span_id", ""),
            "exception": self._hide(self.formatException(record.exc_info)) if record.exc_info else "",
        }
        return json.dumps({name: value for name, value in found.items() if value or name == "message"})
