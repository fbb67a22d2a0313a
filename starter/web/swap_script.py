"""What does a web site get to run? `templates/swap.js`, with the data of one company in it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import phonenumbers

from systems.dni import Swap, WebScript
from systems.numbers import written

SOURCE = Path(__file__).parent / "templates" / "swap.js"
# As it stands in the source this is a script without a company: one that swaps nothing.
HOLE = "/* company */ null"

# How long a visitor is remembered unless the company says otherwise; browsers allow 400 days.
COOKIE_DAYS, MOST_COOKIE_DAYS = 90, 400
# The parameter of an address that names the visitor's source.
PARAMETER = "utm_source"


class SwapScripts:
    """Writes scripts: the same functions in each, and swapping in those that have something to."""

    def __init__(self) -> None:
        """Read the source."""
        self._start, self._end = SOURCE.read_text(encoding="utf-8").split(HOLE)
        self.inert = self._with(None)

    def script(self, company: WebScript | None) -> bytes:
        """The script of this company; the inert one for none."""
        data = None if company is None else _data(company)
        return self.inert if data is None else self._with(data)

    def _with(self, data: Mapping[str, Any] | None) -> bytes:
        return f"{self._start}{as_literal(data)}{self._end}".encode()


def as_literal(data: object) -> str:
    r"""`data` as JavaScript reads it, wherever the script is put: in a file or between two tags.

    All but ASCII is escaped, since older JavaScript ends a line at U+2028, even in a string; and so
    is what HTML reads: ``</script>`` becomes ``\u003c/script\u003e``.
    """
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _data(company: WebScript) -> Mapping[str, Any] | None:
    """What the script is told: no names, no ids, no destinations. None: nothing can be swapped."""
    swaps = [data for swap in company.swaps if (data := _swap_data(swap))]
    if not swaps:
        return None
    return {
        "cookie": f"dni_{company.script_key}",
        "cookieDays": _cookie_days(company.swap_settings.get("cookie_days")),
        "parameter": _parameter(company.swap_settings.get("referrer_parameter")),
        "swaps": swaps,
    }


def _swap_data(swap: Swap) -> Mapping[str, Any] | None:
    numbers = list(_parts(swap.tracking_numbers, None))
    if not numbers:
        return None
    # People write their own number as their country does, which is the tracking number's country.
    first = phonenumbers.PhoneNumber(country_code=int(numbers[0]["country"]))
    targets = list(_parts(swap.swap_targets, written.region_of(first)))
    return {"source": swap.source, "targets": targets, "numbers": numbers} if targets else None


def _parts(texts: Iterable[str], region: str | None) -> Iterable[Mapping[str, str]]:
    """The numbers in parts; what is no complete phone number is left out, for it is on no page."""
    for text in texts:
        if (number := written.read(text, region)) is not None:
            yield _number_parts(number)


def _number_parts(number: phonenumbers.PhoneNumber) -> Mapping[str, str]:
    return {
        "country": str(number.country_code or 0),
        "trunk": phonenumbers.ndd_prefix_for_region(written.region_of(number), True) or "",
        "national": phonenumbers.national_significant_number(number),
    }


def _cookie_days(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        return COOKIE_DAYS
    return min(max(value, 1), MOST_COOKIE_DAYS)


def _parameter(value: object) -> str:
    return value if isinstance(value, str) and value else PARAMETER
