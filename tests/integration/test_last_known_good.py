"""The copy of the ruleset on disk: what is written, what is read again, and what is passed over."""

import os
import resource
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from deploy.processes.evaluation import installation_of
from projections.copy_keeper import CopyKeeper
from projections.last_known_good import FORMAT, Copy, LastKnownGood
from tests.integration.handmade import eventually

OURS = "0123456789abcdef"
SHOP = {"shop/production": {"flag/ünï\n": '{"key": "ünï"}'}, "@keys": {"d1": "{}"}}


def no_pause() -> None:
    pass


@pytest.fixture
def copies(tmp_path: Path) -> LastKnownGood:
    return LastKnownGood(tmp_path / "copies", OURS)


def copy(position: int, generation: str = "g1") -> Copy:
    many = {f"flag/{number}": f'{{"at": {position}}}' for number in range(450)}
    return Copy(generation, position, {**SHOP, "shop/staging": many})


def write(copies: LastKnownGood, *positions: int) -> None:
    for position in positions:
        copies.write(copy(position), no_pause)


def loaded(copies: LastKnownGood) -> Copy | None:
    """By another process."""
    return LastKnownGood(copies.directory, OURS).load(no_pause)


def position(copies: LastKnownGood) -> int:
    found = loaded(copies)
    return found.position if found else 0


def test_what_was_written_is_read(copies: LastKnownGood) -> None:
    assert loaded(copies) is None
    write(copies, 7)
    assert loaded(copies) == copy(7)


def test_the_newest_and_the_one_before_are_kept(copies: LastKnownGood) -> None:
    write(copies, 9, 10, 100)
    assert [path.name for path in copies.paths()] == [f"{OURS}-{number:020d}.copy" for number in (100, 10)]
    assert position(copies) == 100


def test_a_slower_evaluator_in_the_same_directory_does_not_take_it_back(copies: LastKnownGood) -> None:
    write(copies, 20, 30)
    write(LastKnownGood(copies.directory, OURS), 10)
    assert position(copies) == 30
    assert len(copies.paths()) == 2


def test_only_this_user_may_read(copies: LastKnownGood) -> None:
    write(copies, 1)
    assert stat.S_IMODE(copies.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(copies.paths()[0].stat().st_mode) == 0o600


Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "empty": lambda data: b"",
    "torn in its last line": lambda data: data[:-10],
    "torn at a line's end": lambda data: b"".join(data.splitlines(keepends=True)[:-1]),
    "torn in a document": lambda data: data[: len(data) // 2],
    "without a line of documents": lambda data: b"".join(
        line for number, line in enumerate(data.splitlines(keepends=True)) if number != 3
    ),
    "with another position": lambda data: data.replace(b'"position":9', b'"position":8'),
    "with something after it": lambda data: data + b"\n",
    "zeros": lambda data: bytes(len(data)),
    "a file of somebody else": lambda data: b"PK\x03\x04" + os.urandom(1_000),
    "of a later format": lambda data: data.replace(b"copy %d\n" % FORMAT, b"copy %d\n" % (FORMAT + 1)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is_not_whole_is_named_and_the_other_one_used(
    copies: LastKnownGood, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    write(copies, 8, 9)
    newest = copies.paths()[0]
    newest.write_bytes(damage(newest.read_bytes()))
    assert position(copies) == 8
    assert str(newest) in caplog.text


def test_any_bit_that_flips_is_noticed(copies: LastKnownGood) -> None:
    write(copies, 8, 9)
    newest = copies.paths()[0]
    whole = newest.read_bytes()
    for place in range(0, len(whole), len(whole) // 200):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        newest.write_bytes(flipped)
        assert position(copies) == 8, f"bit {place % 8} of byte {place}"


def test_a_damaged_file_does_not_push_out_a_good_one(copies: LastKnownGood) -> None:
    write(copies, 8, 9)
    newest = copies.paths()[0]
    newest.write_bytes(b"")
    other = LastKnownGood(copies.directory, OURS)
    assert other.load(no_pause) == copy(8)
    write(other, 10)
    assert not newest.exists()
    other.paths()[0].write_bytes(b"")
    assert position(copies) == 8


def test_another_installations_copies_are_not_ours(
    copies: LastKnownGood, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = LastKnownGood(copies.directory, "fedcba9876543210")
    write(theirs, 50, 51)
    assert loaded(copies) is None
    assert caplog.text == ""
    write(copies, 1, 2, 3)
    assert position(theirs) != 0
    path = theirs.paths()[0]
    path.rename(path.with_name(path.name.replace("fedcba9876543210", OURS)))
    assert loaded(copies) == copy(3)
    assert "another installation, fedcba9876543210" in caplog.text


def test_an_installation_is_its_redis_whoever_asks_it() -> None:
    def of(url: str) -> str:
        return installation_of(Redis.from_url(url))

    assert of("redis://10.0.0.1:6379/0") == of("redis://ana:secret@10.0.0.1:6379/0")
    addresses = ["redis://10.0.0.1:6379/0", "redis://10.0.0.1:6379/1", "redis://10.0.0.1:6380/0"]
    addresses += ["redis://10.0.0.2:6379/0", "unix:///run/redis.sock", "unix:///run/other.sock"]
    assert len({of(address) for address in addresses}) == len(addresses)


def test_what_a_killed_process_left_goes_away(copies: LastKnownGood) -> None:
    write(copies, 1)
    left, being_written = (copies.directory / f"{OURS}-{name}.new" for name in ("left", "now"))
    for path in (left, being_written):
        path.write_bytes(b"half")
    os.utime(left, (time.time() - 7_200,) * 2)
    write(copies, 2)
    assert (left.exists(), being_written.exists()) == (False, True)


def test_a_directory_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    keeper = CopyKeeper(LastKnownGood(tmp_path / "file" / "copies", OURS))
    assert keeper.load(no_pause) is None
    for number in (1, 2):
        keeper.keep(copy(number))
        keeper.write()
    assert caplog.text.count("no copy of the ruleset can be written") == 1


def test_a_full_disk_is_told_once_and_gets_over(
    copies: LastKnownGood, caplog: pytest.LogCaptureFixture
) -> None:
    write(copies, 1)
    keeper = CopyKeeper(copies)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))  # the kernel refuses what is longer
    try:
        for number in (2, 3):
            keeper.keep(copy(number))
            keeper.write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caplog.text.count("no copy of the ruleset can be written") == 1
    assert (position(copies), list(copies.directory.glob("*.new"))) == (1, [])
    keeper.write()
    assert position(copies) == 3


def test_the_latest_is_written_at_the_end(copies: LastKnownGood) -> None:
    keeper = CopyKeeper(copies, between_at_least=3_600)
    keeper.start()
    keeper.keep(copy(1))
    eventually(lambda: position(copies) == 1)
    keeper.keep(copy(2))
    keeper.keep(copy(3))
    keeper.stop()
    assert position(copies) == 3
    assert len(copies.paths()) == 2  # 2 was never written


def test_what_changes_is_soon_on_disk(copies: LastKnownGood) -> None:
    keeper = CopyKeeper(copies, between_at_least=0.01)
    keeper.start()
    for number in (1, 2, 3):
        keeper.keep(copy(number))
        eventually(lambda number=number: position(copies) == number)  # type: ignore[misc]
    keeper.stop()


def test_what_follows_a_copy_that_was_loaded_does_not_wait(copies: LastKnownGood) -> None:
    write(copies, 1)
    keeper = CopyKeeper(copies, between_at_least=3_600)
    keeper.start()
    keeper.keep(keeper.load(no_pause) or copy(0))
    eventually(lambda: not keeper._changed.is_set())  # the one that is on disk already was looked at
    keeper.keep(copy(2))
    eventually(lambda: position(copies) == 2)
    keeper.stop()
