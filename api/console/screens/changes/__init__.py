"""Changes that are reviewed, scheduled, or made step by step."""

from api.console.screens.changes import listed, one, plans, starting

SCREENS = (listed.SCREEN, one.SCREEN, plans.SCREEN, plans.ONE, starting.SCREEN)
