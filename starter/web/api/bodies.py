"""What callers send, read strictly: nothing unknown, nothing of another type, no card numbers."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from domain.errors import Code, Rejected
from domain.states import TrackerType
from systems.billing.cards import looks_like_a_card_number

# Long runs of digits that are no card number: a phone number, one of our ids, and what the gateway
# or a person made up with letters in it.
PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{1,14}")
ID = re.compile(r"[A-Z]{3}[0-9a-f]{32}")
MADE_UP = frozenset({"token", "password"})


def _day(value: Any) -> Any:
    """A day is written out: a number would be read as seconds since 1970."""
    if not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\d", value) is None:
        raise ValueError("not a day as YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_day), Field(examples=["2027-03-01"])]
# One line of text. PostgreSQL keeps no NUL, and nobody means the other control characters.
Line = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Email = Annotated[
    str, StringConstraints(min_length=1, max_length=254, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]


def _example(**fields: Any) -> ConfigDict:
    """What a body may look like, for whoever reads the description."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


def _id(prefixes: str) -> StringConstraints:
    return StringConstraints(pattern=rf"^({prefixes})[0-9a-f]{{32}}$")


PauseId = Annotated[str, _id("PAU")]
ActId = Annotated[str, _id("PAU|CLO")]
TrackerId = Annotated[str, _id("TRK")]


class Body(BaseModel):
    """What every body has in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _no_card_numbers(cls, data: Any) -> Any:
        # Before anything else looks at it, so that no other message repeats it (R8).
        for name, value in _leaves("", data):
            if _may_be_a_card_number(name, str(value)):
                raise Rejected(
                    Code.VALIDATION_FAILED,
                    f"{name} looks like a card number, which is never accepted here; enter the card"
                    " on the payment gateway's page.",
                    field=name,
                )
        return data


class LogInBody(Body):
    """Who wants in."""

    model_config = _example(email="nia@example.com", password="correct horse battery")

    email: Email
    password: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class PauseBody(Body):
    """The pause that is wanted.

    `terms_version` names the terms that the administrator has read and accepts; the preview says
    which are on offer. `reason` is in the administrator's words, for the audit.
    """

    model_config = _example(
        terms_version="2026-11", resume_on="2027-03-01", reason="closed for the winter"
    )

    terms_version: Line | None = None
    resume_on: Day | None = None
    reason: Text | None = None
    pause_id: PauseId | None = None


class ResumeBody(Body):
    """Which pause is to end; the one in effect if it is left out."""

    model_config = _example(pause_id="PAU0d5db1940281569db722616986b09693")

    pause_id: PauseId | None = None


class ResumeDateBody(Body):
    """When the account is to come back; null: as late as it may."""

    model_config = _example(resume_on="2027-03-01")

    resume_on: Day | None
    pause_id: PauseId | None = None


class CloseBody(Body):
    """The typed word, and in a repeat the id of the pause or close that has closed the account."""

    model_config = _example(confirm="CLOSE")

    confirm: Line
    pause_id: ActId | None = None


class TrackerBody(Body):
    """The tracker that is wanted: `source` takes one number, `session` a pool."""

    model_config = _example(
        company_id="COM0d5db1940281569db722616986b09693",
        call_flow_id="CFL0d5db1940281569db722616986b09693",
        name="Billboard on 5th",
        type="source",
        source="billboard",
        destination_number="+13125550100",
        tracking_numbers=["+13125550123"],
    )

    company_id: Annotated[str, _id("COM")]
    call_flow_id: Annotated[str, _id("CFL")]
    name: Line
    type: TrackerType
    source: Line
    destination_number: E164
    tracking_numbers: Annotated[tuple[E164, ...], Field(min_length=1, max_length=100)]
    swap_targets: Annotated[tuple[Line, ...], Field(max_length=20)] = ()


class CardPageBody(Body):
    """`reopen`: on a closed account, the card opens it again at the price that was shown."""

    model_config = _example(reopen=False)

    reopen: StrictBool = False


class PaymentMethodBody(Body):
    """The token of a page on which a card was entered: the gateway vouches for both."""

    model_config = _example(token="cs_test_a1B2c3D4e5F6")

    token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,200}$")]


def _may_be_a_card_number(name: str, value: str) -> bool:
    if PHONE_NUMBER.fullmatch(value) or ID.fullmatch(value):
        return False
    if name in MADE_UP and any(map(str.isalpha, value)):
        return False
    return looks_like_a_card_number(value)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value in it, with the name of the field in which it is, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(_shown(key), inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(name, inner)
    else:
        yield name, value


def _shown(key: str) -> str:
    # Somebody may paste a card number as a field's name, too.
    is_a_name = re.fullmatch(r"[a-z0-9_]{1,40}", key) and not looks_like_a_card_number(key)
    return key if is_a_name else "a field"
