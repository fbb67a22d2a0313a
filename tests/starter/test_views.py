"""What people see of single things, without a stack."""

import io
from datetime import UTC, date, datetime

import pytest
from rich.console import Console

from domain.messages import ChargeStatus
from domain.states import ChargeState
from starter.cli.views import charges_table


@pytest.mark.parametrize(
    ("decline_code", "shown"),
    [
        ("insufficient_funds", "declined: insufficient funds"),
        ("lost_card", "declined: card reported lost"),
        ("a_code_of_next_year", "declined: the gateway's code a_code_of_next_year"),
        (None, "declined"),
    ],
)
def test_an_operator_reads_why_a_fee_was_declined(decline_code: str | None, shown: str) -> None:
    charge = ChargeStatus(
        billing_on=date(2026, 1, 15),
        due_at=datetime(2026, 1, 15, 15, tzinfo=UTC),
        amount_minor=500,
        currency="USD",
        state=ChargeState.DECLINED,
        decline_code=decline_code,
    )
    paper = io.StringIO()

    Console(file=paper, width=160).print(charges_table([charge], "America/Chicago"))

    assert [shown] == [line for line in lines_of(paper) if "declined" in line]


def lines_of(paper: io.StringIO) -> list[str]:
    """The last column of what was printed."""
    return [line.partition("$5.00")[2].strip() for line in paper.getvalue().splitlines()]
