"""Buckets of the original ToggleMaster, by flag and user, recorded as it ran."""

BUCKETS = {
    "enable-new-dashboard": {
        "user-123": 25,
        "user-abc": 71,
        "test-user-1": 81,
        "test-user-2": 19,
        "user-alpha": 9,
        "user-beta": 96,
        "user-gamma": 75,
        "user-delta": 36,
        "user-epsilon": 48,
        "user-xyz": 12,
        "u1": 99,
        "u2": 51,
        "usuário-ã": 50,
    },
    "novo-checkout": {"u1": 26, "u2": 61, "u3": 69, "u5": 22, "u9": 5, "u10": 87},
}
