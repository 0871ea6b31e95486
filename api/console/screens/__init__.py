"""The screens there are, in the order of the menu. A new one is a module here and a line in this table."""

from api.console.screens import (
    access,
    changes,
    explaining,
    flag,
    flag_insights,
    flags,
    health,
    insights,
    segments,
    time_machine,
)

SCREENS = (
    flags.SCREEN,
    flag.SCREEN,
    *segments.SCREENS,
    *changes.SCREENS,
    time_machine.SCREEN,
    explaining.SCREEN,
    insights.SCREEN,
    flag_insights.SCREEN,
    access.SCREEN,
    health.SCREEN,
)
