"""What an evaluation process is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.evaluation.access import Caller
from domain.evaluation import Evaluation
from domain.targeting import TARGETING_KEY
from projections.follower import Follower
from workers.evaluations import EvaluationRecorder
from workers.key_use import KeyUse

CODE_DEFAULT = "code_default"  # stands for a variant's name where the answer was the caller's own default
NO_ANSWER = "error"


@dataclass(frozen=True, slots=True)
class Parts:
    follower: Follower
    recorder: EvaluationRecorder
    key_use: KeyUse

    def record(self, who: Caller, flag: str, answer: Evaluation, context: Mapping[str, Any]) -> None:
        subject = context.get(TARGETING_KEY)
        self.recorder.record(
            project=who.key.project,
            environment=who.key.environment,
            flag=flag,
            variant=variant_name(answer),
            reason=answer.reason,
            subject=subject if isinstance(subject, str) else None,
            position=who.position,
        )


def variant_name(answer: Evaluation) -> str:
    if answer.error_code:
        return NO_ANSWER
    return CODE_DEFAULT if answer.variant is None else answer.variant
