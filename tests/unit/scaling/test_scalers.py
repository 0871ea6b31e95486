"""KEDA's `aws-sqs-queue` and the HPA on CPU, at the seconds at which they look."""

from deploy.scaling.scalers import CpuScaler, CpuSpec, QueueScaler, QueueSpec


def watched(scaler: QueueScaler, replicas: int, messages: dict[int, float], until: int) -> dict[int, int]:
    """The replicas after each second that changed them; `messages` holds from its second to the next."""
    changes, waiting = {}, 0.0
    for now in range(until + 1):
        waiting = messages.get(now, waiting)
        if (wanted := scaler.replicas(now, replicas, waiting)) != replicas:
            changes[now] = replicas = wanted
    return changes


def test_a_queue_that_fills_and_empties() -> None:
    """queueLength 5, from 1 to 10 replicas; the HPA looks at 0, 15, 30, ... seconds.

    15: 28 messages, 28 / 5 = 5.6, so 6 are wanted; of 1 there may become max(1 * 2, 1 + 4) = 5.
    30: 28 / (5 * 5) = 1.12, beyond the tolerance: 6.
    45: 500 / 5 = 100 are wanted; of 6 there may become max(12, 10), and the maximum is 10.
    50: empty. What was wanted at 45 counts for 300 seconds: at 345 no longer, and 1 is the minimum.
    """
    messages = {0: 0.0, 10: 28.0, 40: 500.0, 50: 0.0}
    assert watched(QueueScaler(QueueSpec()), 1, messages, 400) == {15: 5, 30: 6, 45: 10, 345: 1}


def test_from_nothing_to_one_and_back_is_kedas_own_at_its_polls() -> None:
    """Polled every 30 seconds: seen at 30, empty from 60 on, and none at 330, 300 s after the last seen."""
    scaler = QueueScaler(QueueSpec(minimum=0))
    assert watched(scaler, 0, {0: 0, 5: 3, 50: 0, 340: 2}, 400) == {30: 1, 330: 0, 360: 1}


def test_cooldown_is_for_zero_only() -> None:
    scaler = QueueScaler(QueueSpec(minimum=1, cooldown_seconds=30))
    assert watched(scaler, 1, {0: 0}, 600) == {}


def test_as_many_messages_as_activation_do_not_activate() -> None:
    assert watched(QueueScaler(QueueSpec(minimum=0, activation=5)), 0, {0: 5}, 90) == {}
    assert watched(QueueScaler(QueueSpec(minimum=0, activation=5)), 0, {0: 6}, 90) == {0: 2}


def test_a_cached_metric_is_as_old_as_the_poll() -> None:
    """500 messages come at 31: the HPA sees them at 45, or, when cached, after the poll at 60."""
    messages: dict[int, float] = {0: 0.0, 31: 500.0}
    assert min(watched(QueueScaler(QueueSpec()), 1, messages, 90)) == 45
    assert min(watched(QueueScaler(QueueSpec(cached=True)), 1, messages, 90)) == 60


def test_evaluators_go_one_a_minute_after_five_quiet_minutes() -> None:
    """A fifth of the target from second 1 on: 10 were last wanted at 0, and the mean is all quiet at 15."""
    scaler, replicas, left = CpuScaler(CpuSpec()), 10, {}
    for now in range(500):
        used = 0.1 if now else 0.5
        if (wanted := scaler.replicas(now, replicas, replicas, used)) != replicas:
            left[now] = replicas = wanted
    assert left == {300: 9, 360: 8, 420: 7, 480: 6}


def test_cpu_is_the_mean_of_the_last_fifteen_seconds() -> None:
    """Full for the last 5 of 15 seconds: (10 * 0.4 + 5) / 15 = 0.6, 0.6 / 0.5 = 1.2, ceil(1.2 * 4) = 5."""
    scaler = CpuScaler(CpuSpec())
    used = [0.5] + [0.4] * 10 + [1.0] * 5
    assert [scaler.replicas(now, 4, 4, each) for now, each in enumerate(used)] == [4] * 15 + [5]
