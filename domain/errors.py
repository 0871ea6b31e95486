"""Why a command was refused; the sentence is for the person who gave it."""


class Refused(Exception):
    """The command cannot be carried out. Subclasses say of which sort the refusal is."""


class NotFound(Refused):
    """What the command is about does not exist."""


class AlreadyExists(Refused):
    """The key is taken."""


class Invalid(Refused):
    """The command contradicts itself or what it refers to."""


class InUse(Refused):
    """Something else still needs what would go away."""


class VersionConflict(Refused):
    """The stream moved on since the caller read it."""


class KeyReused(Refused):
    """The idempotency key stood for another request before."""


class ApprovalRequired(Refused):
    """The environment takes changes only after others have approved them."""


class NotAllowed(Refused):
    """Somebody else has to do it, or give the command."""


class WrongStatus(Refused):
    """It is over, or not yet so far."""


class Outdated(Refused):
    """What it is meant for was changed by somebody else in the meantime."""
