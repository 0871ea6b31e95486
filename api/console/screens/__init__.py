"""The screens there are, in the order of the menu. A new one is a module here and a line in this table."""

from api.console.screens import explaining, flags, time_machine

SCREENS = (flags.SCREEN, time_machine.SCREEN, explaining.SCREEN)
