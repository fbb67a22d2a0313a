"""The card on file: the gateway's token and what a person recognises it by, nothing more (R8)."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from domain.errors import Code, Rejected
from domain.payments import EnteredCard
from systems.tables import CardRow

# Twelve digits or more, however they are set apart (but by a colon, as times of day are): card
# numbers have 12 to 19. Longer runs count too, since a number may be pasted with its expiry and
# code behind it. Inside a word they are part of some id, unless they could be a card's by their
# check digit.
_DIGITS = re.compile(r"(?<![0-9A-Za-z])\d(?:(?:[^\w:]|_)*\d){11,}+(?![A-Za-z])")
_IN_A_WORD = re.compile(r"\d{13,19}+")
# An id of ours or of a call, whatever stands before it, or a UUID: one in a thousand holds digits
# that could be a card's.
_MADE_ID = re.compile(
    r"(?<![0-9A-Za-z])(?:[A-Z]{2,3}[0-9a-f]{32}"
    r"|(?=[0-9-]*[a-f])(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))"
    r"(?![0-9A-Za-z])"
)


@dataclass(frozen=True)
class CardView:
    """What a person may see of the card on file."""

    brand: str
    last4: str
    expires_month: int
    expires_year: int
    entered_at: datetime


def looks_like_a_card_number(value: object) -> bool:
    """Whether there is anything like a card number in it, however it is written."""
    text = _MADE_ID.sub(" ", str(value))
    if _DIGITS.search(text):
        return True
    return any(has_check_digit(found) for found in _IN_A_WORD.findall(text))


def has_check_digit(digits: str) -> bool:
    """Whether the last digit fits the others, as on every card (ISO/IEC 7812, the Luhn formula)."""
    doubled = (int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits)))
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def refuse_card_numbers(account_id: str, **fields: object) -> None:
    """Let fields through that hold nothing like a card number.

    Raises:
        Rejected: `validation_failed`, naming the field and never its value (R17).
    """
    for name, value in fields.items():
        if looks_like_a_card_number(value):
            raise Rejected(
                Code.VALIDATION_FAILED,
                f"Account {account_id}: {name} looks like a card number, which is never accepted"
                " here; enter the card on the payment gateway's page.",
                field=name,
            )


def replace(
    session: Session, account_id: str, gateway: str, card: EnteredCard, at: datetime
) -> CardView:
    """Put `card` on file as of `at`; a repeat, or one older than what is on file, changes nothing.

    `gateway` is the name of the one at which it was entered.

    Raises:
        Rejected: `validation_failed`.
    """
    _check(account_id, card)
    row = session.get(CardRow, account_id)
    if row is None:
        row = CardRow(account_id=account_id, entered_at=at)
        session.add(row)
    elif at < row.entered_at or (row.gateway, _card_of(row)) == (gateway, card):
        return _view(row)
    row.gateway, row.customer_id = gateway, card.customer_id
    row.token, row.brand, row.last4 = card.token, card.brand, card.last4
    row.expires_month, row.expires_year = card.expires_month, card.expires_year
    row.entered_at = at
    return _view(row)


def has_card(session: Session, account_id: str, gateway: str) -> bool:
    """Whether a card is on file that `gateway` knows."""
    row = session.get(CardRow, account_id)
    return row is not None and row.gateway == gateway


def card_view(session: Session, account_id: str) -> CardView | None:
    """The card on file, if there is one."""
    row = session.get(CardRow, account_id)
    return _view(row) if row else None


def _check(account_id: str, card: EnteredCard) -> None:
    refuse_card_numbers(account_id, **vars(card))
    problems = {
        "token": not card.token,
        "brand": not card.brand,
        "last4": re.fullmatch(r"[0-9]{4}", card.last4) is None,
        "expires_month": not 1 <= card.expires_month <= 12,
        "expires_year": not 2000 <= card.expires_year <= 2100,
    }
    for name, is_wrong in problems.items():
        if is_wrong:
            raise Rejected(
                Code.VALIDATION_FAILED,
                f"Account {account_id}: {name} of the new card is missing or malformed.",
                field=name,
            )


def _card_of(row: CardRow) -> EnteredCard:
    return EnteredCard(
        row.token, row.brand, row.last4, row.expires_month, row.expires_year, row.customer_id
    )


def _view(row: CardRow) -> CardView:
    return CardView(row.brand, row.last4, row.expires_month, row.expires_year, row.entered_at)
