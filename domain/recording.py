"""What is kept of single evaluations in an environment, beside their counts, which are always kept."""

from hashlib import blake2b, sha256
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.values import ABSENT, Model

RecordingMode = Literal["all", "exposures", "none"]
"""`exposures` is once for each subject, flag and variant in a while."""

ATTRIBUTES_AT_MOST = 20
ATTRIBUTE_LENGTH = 100


class Recording(Model):
    """`mode` absent is as the installation has it. `attributes` are those of the context that are kept too,
    by name: nothing of a context is kept that nobody declared recordable."""

    mode: RecordingMode | None = ABSENT
    pseudonymise: bool = False
    attributes: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=ATTRIBUTE_LENGTH)], ...],
        Field(max_length=ATTRIBUTES_AT_MOST),
    ] = ()


AS_INSTALLED = Recording()

PSEUDONYM_BYTES = 16  # no two of a billion subjects share one, but for a chance of 1 in 10^21
PERSON_BYTES = 16  # BLAKE2b's limit


def pseudonym(secret: str, project: str, subject: str) -> str:
    """32 hex digits that stand for the subject in that project, and for nobody without the secret."""
    return blake2b(
        subject.encode(errors="replace"),
        digest_size=PSEUDONYM_BYTES,
        key=sha256(secret.encode()).digest(),
        person=sha256(project.encode()).digest()[:PERSON_BYTES],
    ).hexdigest()
