"""One flag: who gets what in an environment, and changing it by way of a draft."""

from api.console.screens.flag.screen import SCREEN as SCREEN
