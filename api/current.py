"""What request is being answered now, for whoever writes a log."""

from contextvars import ContextVar

CURRENT_REQUEST: ContextVar[str] = ContextVar("request_id", default="")
"""Empty outside of requests, and in the fast lane, where it would cost more than it tells."""
