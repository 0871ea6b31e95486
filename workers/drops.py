"""Tells how much a producer has dropped, by the numbers on disk, which others may go on telling."""

import time

from projections.dropped_table import Dropped
from workers.messages import pack_dropped
from workers.spool import FIRST_DROP, LAST_DROP, Home


class Drops:
    """For the thread that sends; one for each producer.

    What an evaluation under way had dropped is taken back where a killed process's successor counts it anew,
    so the numbers may fall: the telling with the highest `seq` is right, whatever its numbers.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._sent = (0, 0)
        self._taken = None if home.told[LAST_DROP] else (0, 0)  # None: nobody knows what SQS took last

    def messages(self) -> list[bytes]:
        """One, or none where SQS has all that there is to tell."""
        self._sent = self._home.drops()
        return [] if self._sent == self._taken else [self._message()]

    def taken(self) -> None:
        self._taken = self._sent

    def are_told(self) -> bool:
        return self._home.drops() == self._taken

    def _message(self) -> bytes:
        home = self._home
        home.note_told(self._sent, int(time.time()))
        first, last = home.told[FIRST_DROP], home.told[LAST_DROP]
        return pack_dropped(Dropped(home.producer, home.next_seq(), *self._sent, first, last))
