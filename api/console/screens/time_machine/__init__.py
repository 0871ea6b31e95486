"""The time machine: what happened, what was, what differs, and whose doing it is; undone where one may."""

from api.console.screens.time_machine.screen import SCREEN

__all__ = ["SCREEN"]
