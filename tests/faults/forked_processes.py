"""`python -m tests.faults.forked_processes`: forks a process of the command line for each line it reads.

A line is JSON: the command, and the settings to be put in the environment; the answer is the pid. Everything
is imported already, so a process that was killed has a successor at work a moment later.
"""

import json
import os
import signal
import sys

import deploy.processes.consumer
import deploy.processes.evaluation
import deploy.processes.http
import deploy.processes.projector  # noqa: F401 - all are for the children
from deploy.cli import app
from deploy.embedded import die_with_parent


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever was killed is gone at once
    parent = os.getpid()
    for line in sys.stdin:
        command, settings = json.loads(line)
        if (pid := os.fork()) == 0:
            die_with_parent(signal.SIGKILL, parent)
            os.environ.update(settings)
            app(command, standalone_mode=False)
            os._exit(0)
        print(pid, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
