"""Faults that a person can do something about."""


class Told(Exception):
    """Its text is a sentence for whoever runs the command: what failed, where, and what to do."""
