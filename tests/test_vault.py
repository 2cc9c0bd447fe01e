"""The keys of secret polls: two halves, a file that is whole or not there, and what a key makes of a ballot."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coopmail.vault import ALPHABET, CODE_LENGTH, BallotUnreadable, Key, KeyUnreadable, Vault, new_place

KEY = Key(bytes(range(32)))
OTHER = Key(bytes(32))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault whose folder is not there yet."""
    return Vault(tmp_path / "var" / "poll-keys")


def only_file(folder: Path) -> Path:
    """The one file under a folder."""
    (file,) = [path for path in folder.rglob("*") if path.is_file()]
    return file


def test_a_key_needs_both_halves_and_its_file_is_the_owner_s_alone(vault: Vault, tmp_path: Path) -> None:
    half = vault.make("here", 3)
    file = tmp_path / "var" / "poll-keys" / "here" / "poll-3.key"
    assert only_file(tmp_path) == file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (file.parent, file.parent.parent)] == [0o700, 0o700]
    key = vault.read("here", 3, half)
    assert key == vault.read("here", 3, half)
    assert key.whole not in (half, file.read_bytes()[:32])
    with pytest.raises(KeyUnreadable, match="damaged, or belongs to another key"):
        vault.read("here", 3, bytes(32))


@pytest.mark.parametrize("damage", [b"", b"\0" * 64, b"\1" * 31])
def test_a_damaged_key_file_is_said_to_be_one(vault: Vault, tmp_path: Path, damage: bytes) -> None:
    half = vault.make("here", 3)
    only_file(tmp_path).write_bytes(damage)
    with pytest.raises(KeyUnreadable, match="The key file of poll 3 is damaged"):
        vault.read("here", 3, half)


def test_a_key_file_that_is_not_there_is_named(vault: Vault) -> None:
    with pytest.raises(KeyUnreadable, match=r"The key file of poll 3 cannot be read: .*No such file"):
        vault.read("here", 3, bytes(32))


def test_a_folder_that_cannot_be_made_stops_the_opening(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KeyUnreadable, match="The key of poll 1 cannot be written"):
        Vault(tmp_path / "file").make("here", 1)


def test_a_second_key_replaces_what_a_broken_opening_left(vault: Vault, tmp_path: Path) -> None:
    first = vault.make("here", 3)
    second = vault.make("here", 3)
    with pytest.raises(KeyUnreadable):
        vault.read("here", 3, first)
    assert isinstance(vault.read("here", 3, second), Key)
    assert only_file(tmp_path).name == "poll-3.key"


def test_destroying_removes_the_file_and_the_piece_of_one_and_may_be_repeated(vault: Vault, tmp_path: Path) -> None:
    vault.make("here", 3)
    vault.make("here", 4)
    piece = tmp_path / "var" / "poll-keys" / "here" / "poll-3.key.new"
    piece.write_bytes(b"half a half")
    assert sorted(vault.polls("here")) == [3, 4]
    for _ in range(2):
        vault.destroy("here", 3)
        assert sorted(vault.polls("here")) == [4]
    assert only_file(tmp_path).name == "poll-4.key"


def test_a_destroyed_file_is_written_over_before_it_goes(vault: Vault, tmp_path: Path) -> None:
    vault.make("here", 3)
    kept = tmp_path / "another name for the same bytes on the disk"
    kept.hardlink_to(only_file(tmp_path))
    assert any(kept.read_bytes())
    vault.destroy("here", 3)
    assert kept.read_bytes() == bytes(64)


def test_two_databases_that_share_a_folder_touch_nothing_of_each_other(vault: Vault) -> None:
    mine, other = new_place(), new_place()
    half = vault.make(mine, 1)
    vault.make(other, 1)
    vault.destroy(other, 1)
    assert (vault.polls(other), sorted(vault.polls(mine))) == ({}, [1])
    assert isinstance(vault.read(mine, 1, half), Key)
    assert [vault.holds(place) for place in (mine, other, "elsewhere")] == [True, True, False]


def test_a_handle_and_a_code_are_always_the_same_and_another_key_has_others() -> None:
    assert KEY.handle(7) == Key(bytes(range(32))).handle(7)
    assert len({key.handle(unit) for key in (KEY, OTHER) for unit in range(50)}) == 100
    assert len({key.code(key.handle(unit), 1) for key in (KEY, OTHER) for unit in range(50)}) == 100
    assert KEY.code(KEY.handle(7), 1) == "6Z4N-T349-CQWR"


def test_each_contact_has_another_code_for_the_same_ballot() -> None:
    assert len({KEY.code(KEY.handle(7), contact) for contact in range(100)}) == 100
    # A handle has a fixed length, so no unit and contact run into another pair.
    assert len({KEY.code(KEY.handle(unit), contact) for unit in range(1, 112) for contact in (1, 11, 111)}) == 333


def test_a_code_has_twelve_letters_that_are_told_apart_and_uses_all_of_them() -> None:
    codes = [KEY.code(KEY.handle(unit), 1) for unit in range(400)]
    assert {len(code) for code in codes} == {CODE_LENGTH}
    assert {code[4] + code[9] for code in codes} == {"--"}
    assert {letter for code in codes for letter in code} == {*ALPHABET, "-"}
    assert not set("01IO") & set(ALPHABET)
    assert len(ALPHABET) == 32


@given(st.text('abcdefghijklmnopqrstuvwxyz0123456789-[]",', min_size=1, max_size=60))
def test_what_is_sealed_opens_as_it_was_and_all_are_as_long(text: str) -> None:
    handle = KEY.handle(1)
    sealed = KEY.seal(handle, text, 60)
    assert KEY.open(handle, sealed) == text
    assert len(sealed) == 12 + 60 + 16
    assert KEY.seal(handle, text, 60) != sealed


def test_a_ballot_opens_under_its_own_handle_and_key_alone() -> None:
    sealed = KEY.seal(KEY.handle(1), '["keep"]', 20)
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for key, handle, content in (
        (OTHER, KEY.handle(1), sealed), (KEY, KEY.handle(2), sealed), (KEY, KEY.handle(1), changed),
        (KEY, KEY.handle(1), b""), (KEY, KEY.handle(1), sealed[:20]),
    ):  # fmt: skip
        with pytest.raises(BallotUnreadable):
            key.open(handle, content)


def test_a_key_shows_itself_in_no_log() -> None:
    assert repr(KEY) == "Key()"
