"""What a refusal says to people: what is in the way, in a sentence, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import Code, Figure, Rejected
from starter.web.site import paths
from starter.web.site.forms import Mistake
from starter.web.site.words import dated


@dataclass(frozen=True)
class Advice:
    """A sentence that tells what is in the way, and a page that helps, by the words of its link."""

    words: str
    link: str | None = None
    link_words: str = ""


def advice(code: str, message: str, figures: Mapping[str, Figure]) -> Advice:
    """What to say of a refusal; `message` is for programs and stands where nothing else is known.

    The figures are those of `domain/policy.py`.
    """
    match code:
        case Code.TOO_MANY_TRACKING_NUMBERS:
            words = (
                f"The account has {figures.get('active')} active tracking numbers, and a pause"
                f" keeps {figures.get('limit')} at most. Disable at least"
                f" {figures.get('excess')} of them first."
            )
            return Advice(words, paths.PAUSE, "Choose the trackers to disable")
        case Code.PAYMENT_METHOD_REQUIRED:
            words = "There is no card on file that the monthly fee could be charged to."
            return Advice(words, paths.BILLING, "Enter a card on the Billing page")
        case Code.ACCOUNT_ALREADY_PAUSED:
            words = "The account is paused already, or is just being paused, resumed or closed."
            return Advice(words, paths.STATUS, "Account Status")
        case Code.PAUSING_FAILED:
            words = (
                "Something that has to stop for a pause could not be stopped, so everything was"
                " put back. The account works as before."
            )
            return Advice(words, paths.PAUSE, "Try again")
        case Code.NOT_AN_ADMINISTRATOR:
            return Advice("Only an administrator of the account may do this.")
        case Code.INVALID_RESUME_DATE:
            return Advice(_resume_date(figures), paths.PAUSE, "Choose another date")
        case Code.PRECONDITION_FAILED:
            return Advice("Somebody else has changed it meanwhile. This is how it stands now.")
        case Code.ACCOUNT_CLOSED:
            return Advice("The account is closed.", paths.HOME, "Reopen it")
        case Code.ACCOUNT_NOT_PAUSED | Code.RUN_IS_ENDING:
            return Advice("The pause is over, or is just ending.", paths.HOME, "Look again")
        case _:
            return Advice(message)


def mistake_of(error: Rejected, field: str = "") -> Mistake:
    """The refusal as something to put right, at a field of the form or for all of it."""
    told = advice(error.code, error.message, error.figures)
    return Mistake(field, told.words, told.link, told.link_words)


def _resume_date(figures: Mapping[str, Figure]) -> str:
    earliest, latest = figures.get("earliest"), figures.get("latest")
    return dated(f"The resume date must lie from {earliest} to {latest}.")
