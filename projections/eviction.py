"""Whether Redis may throw documents away when its memory is full: a model with holes gives wrong answers."""

from typing import cast

from redis import Redis, ResponseError

NEVER = "noeviction"


def eviction_policy(redis: Redis) -> str | None:
    """None where Redis does not say, as some managed ones do not. Raises RedisError when it is away."""
    try:
        found = cast("dict[str, str]", redis.config_get("maxmemory-policy"))
    except ResponseError:  # CONFIG is forbidden, or called something else, there
        found = {}
    if policy := found.get("maxmemory-policy"):
        return policy
    try:
        return redis.info("memory").get("maxmemory_policy")
    except ResponseError:
        return None


def what_is_wrong(policy: str | None) -> str:
    """A sentence with what mends it; empty when nothing is."""
    if policy in {NEVER, None}:
        return ""
    return (
        f"Redis has maxmemory-policy '{policy}': when its memory is full it throws flags away, and those are"
        f" then answered as if they did not exist. Set it with `CONFIG SET maxmemory-policy {NEVER}`, in its"
        " configuration file or in the parameters of the managed service too, so that it stays"
    )
