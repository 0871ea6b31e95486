"""How large things may be: one table, kept to by whoever writes rules and whoever reads them."""

from typing import Final

RULES: Final = 1_000  # each costs an evaluation about a tenth of a microsecond
TARGETS: Final = 1_000
PREREQUISITES: Final = 100
CONDITIONS: Final = 5_000  # in one targeting or segment, groups included
DEPTH: Final = 24  # of groups in groups; 32 levels of JSON is what the reader of bodies lets through
VALUES: Final = 50_000  # of one clause; a list of texts costs the same at any length
SUBJECTS: Final = 50_000  # of one target, or of a segment's include or exclude list
VALUE_LENGTH: Final = 10_000
PATTERN_LENGTH: Final = 1_000  # RE2 is linear in it, and nobody reads longer ones
VARIANTS: Final = 100
TAGS: Final = 50
WEBHOOKS: Final = 50  # of one project; every event is sent to each
EVENT_NAMES: Final = 100  # that a webhook asks for; there are fewer
APPROVALS: Final = 10  # people who have to approve one change
GRANTS: Final = 100  # of one access token or person
KEY_DAYS: Final = 3_660  # ten years: what is to live longer is not to expire
OVERLAP_SECONDS: Final = 30 * 24 * 3_600  # while a key and the one that takes its place are both in force
COMMANDS: Final = 500  # given together; they are decided and written in one transaction
PLAN_STEPS: Final = 100
