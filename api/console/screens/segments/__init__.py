"""Segments: conditions with a name, used by many flags."""

from api.console.screens.segments import listed, new, one

SCREENS = (listed.SCREEN, new.SCREEN, one.SCREEN)
