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


def as_e164(number: PhoneNumber) -> str:
    """The number as it is stored."""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
