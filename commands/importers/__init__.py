"""Flags of other systems, said in our rules: what they meant, or a refusal that names what cannot be said."""

from enum import StrEnum


class VendorName(StrEnum):
    TOGGLEMASTER = "togglemaster"
    UNLEASH = "unleash"
    LAUNCHDARKLY = "launchdarkly"
    FLAGD = "flagd"
    FLAGD_1 = "flagd1"
    FLAGD_3 = "flagd3"
    FLAGSMITH = "flagsmith"
    GROWTHBOOK = "growthbook"
