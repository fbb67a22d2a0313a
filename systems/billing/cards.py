"""The card on file: the gateway's token and what a person recognises it by, nothing more (R8)."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from domain.errors import Code, Rejected
from systems.tables import CardRow

# Twelve digits or more, however they are set apart: card numbers have 12 to 19. Longer runs count
# too, since a number may be pasted with its expiry and code behind it.
_LIKE_A_CARD_NUMBER = re.compile(r"(?:\d[\W_]*){12}")


@dataclass(frozen=True)
class NewCard:
    """A card as the gateway hands it over after it was entered on the gateway's own page."""

    token: str
    brand: str
    last4: str
    expires_month: int
    expires_year: int


@dataclass(frozen=True)
class CardView:
    """What a person may see of the card on file."""

    brand: str
    last4: str
    expires_month: int
    expires_year: int
    entered_at: datetime


def refuse_card_numbers(account_id: str, **fields: object) -> None:
    """Let fields through that hold nothing like a card number.

    Raises:
        Rejected: `validation_failed`, naming the field and never its value (R17).
    """
    for name, value in fields.items():
        if _LIKE_A_CARD_NUMBER.search(str(value)):
            raise Rejected(
                Code.VALIDATION_FAILED,
                f"Account {account_id}: {name} looks like a card number, which is never accepted"
                " here; enter the card on the payment gateway's page.",
                field=name,
            )


def replace(session: Session, account_id: str, card: NewCard, at: datetime) -> CardView:
    """Put `card` on file as of `at`; a repeat, or one older than what is on file, changes nothing.

    Raises:
        Rejected: `validation_failed`.
    """
    _check(account_id, card)
    row = session.get(CardRow, account_id)
    if row is None:
        row = CardRow(account_id=account_id, entered_at=at)
        session.add(row)
    elif at < row.entered_at or _card_of(row) == card:
        return _view(row)
    row.token, row.brand, row.last4 = card.token, card.brand, card.last4
    row.expires_month, row.expires_year = card.expires_month, card.expires_year
    row.entered_at = at
    return _view(row)


def card_view(session: Session, account_id: str) -> CardView | None:
    """The card on file, if there is one."""
    row = session.get(CardRow, account_id)
    return _view(row) if row else None


def _check(account_id: str, card: NewCard) -> None:
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


def _card_of(row: CardRow) -> NewCard:
    return NewCard(row.token, row.brand, row.last4, row.expires_month, row.expires_year)


def _view(row: CardRow) -> CardView:
    return CardView(row.brand, row.last4, row.expires_month, row.expires_year, row.entered_at)
