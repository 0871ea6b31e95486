"""`python -m tests.faults.forked_schedulers`: forks a scheduler for each line it reads, and prints its pid.

Everything is imported already, so a scheduler that was killed has a successor at work a moment later.
"""

import os
import signal
import sys

from deploy.processes.scheduler import run
from deploy.settings import Settings


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever was killed is gone at once
    for _ in sys.stdin:
        if (pid := os.fork()) == 0:
            sys.stdin.close()
            run(Settings())
            os._exit(0)
        print(pid, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
