"""What happened to people; part of the storage format, as `domain/events.py`."""

from domain.roles import Grant
from domain.values import Model


class PersonAdded(Model):
    """`id` follows from `email`, so that an address stands for one person (`domain/person.py`)."""

    id: str
    email: str
    name: str


class PersonRenamed(Model):
    name: str


class GrantsChanged(Model):
    """All that the person has from now on."""

    grants: tuple[Grant, ...]


class PersonDisabled(Model):
    pass


class PersonEnabled(Model):
    pass


class PasswordChanged(Model):
    """`credential` names the hash that counts from now on; the hash itself is not in the log."""

    credential: str


PersonEvent = PersonAdded | PersonRenamed | GrantsChanged | PersonDisabled | PersonEnabled | PasswordChanged
