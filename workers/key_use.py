"""Notes which keys are used, and tells it now and then from a thread of its own."""

import threading

from projections.keys_used import KeysUsed

TELL_SECONDS = 30.0  # "last used" is for finding keys that nobody needs: days matter, not seconds
STOP_SECONDS = 1.0


class KeyUse:
    """`note` may be called from any thread: it is one assignment, and no other thread waits for it."""

    def __init__(self, keys_used: KeysUsed, *, tell_seconds: float = TELL_SECONDS) -> None:
        self._keys_used = keys_used
        self._tell_seconds = tell_seconds
        self._noted: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, name: str, at: float) -> None:
        """`at` is in seconds since 1970."""
        self._noted[name] = at

    def tell(self) -> None:
        """What is new since the last time; what Redis does not take is told again the next time."""
        noted = self._noted.copy()  # one step, in which nobody notes anything
        new = {name: at for name, at in noted.items() if self._told.get(name) != at}
        if self._keys_used.tell(new):
            self._told = noted

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="key-use", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(self._tell_seconds):
            self.tell()
        self.tell()
