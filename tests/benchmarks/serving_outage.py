"""What answers depend on, taken away for real: Redis stopped in its tracks, then it and PostgreSQL killed."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.embedded import Stack


@contextmanager
def redis_hangs(stack: Stack) -> Iterator[None]:
    pid = stack.valkey.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def kill_redis_and_postgresql(stack: Stack) -> None:
    """For good: nothing can be measured after this that needs them."""
    for part in (stack.valkey, stack.postgres):
        part.process.kill()
        part.process.wait()
