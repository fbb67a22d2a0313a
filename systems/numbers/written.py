"""Phone numbers as people write them on their web sites, with a country code or without."""

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, ValidationResult


def region_of(number: PhoneNumber) -> str:
    """Whose habits of writing a number follows: the main country of its code."""
    return phonenumbers.region_code_for_country_code(number.country_code or 0)


def read(text: str, region: str | None) -> PhoneNumber | None:
    """The number that is written there, None for what is no complete one.

    Without a country code it is one of `region`; without a region none.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    reason = phonenumbers.is_possible_number_with_reason(number)
    return number if reason == ValidationResult.IS_POSSIBLE else None


def read_e164(text: str, region: str) -> str | None:
    """The same as it is stored; None for one with an extension, too, which nobody can dial."""
    number = read(text, region)
    return as_e164(number) if number and not number.extension else None


def is_e164(text: str) -> bool:
    """Whether `text` is a complete phone number, written as it is stored."""
    number = read(text, None)
    return number is not None and as_e164(number) == text


def as_e164(number: PhoneNumber) -> str:
    """The number as it is stored."""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
