"""Opaque ids: three letters and 32 hex digits."""

from uuid import UUID

import pytest

from domain.errors import Code, Rejected
from domain.ids import Prefix, checked_id, make_id

HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("kind", "letters"),
    [
        (Prefix.ACCOUNT, "ACC"),
        (Prefix.COMPANY, "COM"),
        (Prefix.TRACKER, "TRK"),
        (Prefix.USER, "USR"),
        (Prefix.CALL, "CAL"),
        (Prefix.PAUSE, "PAU"),
    ],
)
def test_an_id_is_its_kinds_three_letters_and_the_uuids_32_digits(
    kind: Prefix, letters: str
) -> None:
    assert letters + HEX == make_id(kind, UUID(HEX))


@pytest.mark.parametrize("kind", Prefix)
def test_what_was_made_is_accepted_for_its_kind_and_for_no_other(kind: Prefix) -> None:
    made = make_id(kind, UUID(HEX))

    assert made == checked_id(kind, made)
    for other in set(Prefix) - {kind}:
        with pytest.raises(Rejected):
            checked_id(other, made)


def test_kinds_have_three_letters_each_and_differ() -> None:
    assert all(len(kind) == 3 and kind.isupper() for kind in Prefix)
    assert len(set(Prefix)) == len(Prefix.__members__)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ACC",
        "ACC" + HEX[:-1],
        "ACC" + HEX + "0",
        "ACC" + HEX.upper(),
        "acc" + HEX,
        "ACC" + HEX[:-1] + "g",
        "ACC" + HEX + "\n",
        " ACC" + HEX,
        "+15550100123",
        "somebody@example.com",
    ],
)
def test_anything_else_is_refused_without_being_repeated(value: str) -> None:
    with pytest.raises(Rejected) as refused:
        checked_id(Prefix.ACCOUNT, value)

    assert Code.VALIDATION_FAILED is refused.value.code
    assert value in {"", "ACC"} or value not in refused.value.message
