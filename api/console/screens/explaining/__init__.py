"""Explain: how an answer comes about, now or then."""

from api.console.screens.explaining.screen import SCREEN

__all__ = ["SCREEN"]
