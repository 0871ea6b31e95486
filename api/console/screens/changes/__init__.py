"""Changes that are reviewed, scheduled, or made step by step."""

from api.console.screens.changes import listed, one

SCREENS = (listed.SCREEN, one.SCREEN)
