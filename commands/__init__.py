"""Intent becomes events: command models, their handlers, and the log that keeps what happened."""
