"""The projector process on a day on which no NOTIFY arrives: it looks when it would look anyway."""

import time

from commands.listener import Listener
from deploy.processes.projector import run
from deploy.settings import Settings


def hear_nothing(_: Listener, seconds: float) -> None:
    time.sleep(seconds)


if __name__ == "__main__":
    Listener.wait = hear_nothing  # type: ignore[method-assign, assignment]
    run(Settings())
