"""What is kept of single evaluations in an environment, beside their counts, which are always kept."""

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
