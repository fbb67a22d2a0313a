"""Who is believed to be the carrier: whoever signs as Twilio does, or this machine itself.

Twilio signs the address that it was given and all fields with the secret of the account. The
address is the public one, `settings.public_url` and the path: behind a proxy the request itself
shows another. A signature carries no time, so one that was recorded can be sent again; that is
harmless, since a call counts once.

Without a secret nobody can sign. Then only requests from this machine to this machine are believed,
so that a local stack answers; a process that is published somewhere refuses them all.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from starlette.datastructures import ImmutableMultiDict

# The package comes without types.
from twilio.request_validator import (  # type: ignore[import-untyped]
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from domain.errors import Code
from starter.web.problems import Problem

log = logging.getLogger("account_pause.voice")

# The carrier sends some forty. How long the whole may be is the guards' business.
MAX_FIELDS = 200

INVALID_SIGNATURE = "invalid_signature"

# What proxies add, and browsers: a request that has one began somewhere else.
FROM_ELSEWHERE = frozenset(
    {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "origin"}
)

Fields = ImmutableMultiDict[str, str]


@dataclass(frozen=True)
class Carrier:
    """Tells the carrier's requests from others'.

    `public_url` is where the carrier reaches us; an empty `auth_token` means that there is none.
    """

    public_url: str
    auth_token: str = field(repr=False)

    def url(self, path: str) -> str:
        """The public address of a path that begins with a slash."""
        return f"{self.public_url.rstrip('/')}{path}"

    def sign(self, path: str, fields: Fields) -> str:
        """The signature of a request for `path`, as the carrier makes it."""
        signature = RequestValidator(self.auth_token).compute_signature(self.url(path), fields)
        return str(signature)

    async def fields(self, request: Request) -> Fields:
        """The fields of a request that is the carrier's.

        Raises:
            Problem: 403 for somebody else's; 400 for a body that no carrier sends.
        """
        fields = _fields(await request.body())
        if self.auth_token:
            is_believed = self._is_signed(request, fields)
        else:
            is_believed = self._is_this_machine(request)
        if not is_believed:
            raise self._refusal()
        return fields

    def _is_signed(self, request: Request, fields: Fields) -> bool:
        path = request.url.path.removeprefix(request.scope.get("root_path", ""))
        query = f"?{request.url.query}" if request.url.query else ""
        signature = request.headers.get(SIGNATURE_HEADER, "")
        algorithm = get_signature_algorithm(request.headers.get(SIGNATURE_SETTINGS_HEADER))
        validator = RequestValidator(self.auth_token)
        try:
            return bool(validator.validate(self.url(path) + query, fields, signature, algorithm))
        except ValueError:
            # The package takes addresses apart, and chokes on one that is none.
            return False

    def _is_this_machine(self, request: Request) -> bool:
        if not FROM_ELSEWHERE.isdisjoint(request.headers.keys()):
            return False
        sender = request.client.host if request.client else ""
        return all(map(_is_loopback, (sender, *_hosts(self.public_url, str(request.url)))))

    def _refusal(self) -> Problem:
        reason = "its signature is not the carrier's" if self.auth_token else "there is no token"
        log.warning(
            "a call's request was refused, %s: see ACCOUNT_PAUSE_TWILIO_AUTH_TOKEN and"
            " ACCOUNT_PAUSE_PUBLIC_URL",
            reason,
        )
        return Problem(
            HTTPStatus.FORBIDDEN, INVALID_SIGNATURE, "This is not signed by the carrier."
        )


def _fields(body: bytes) -> Fields:
    """Every field of a form, the empty ones too: they are signed like the others."""
    try:
        text = body.decode("utf-8", "replace")
        return ImmutableMultiDict(
            parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        )
    except ValueError:
        detail = "This is no form that a carrier sends."
        raise Problem(HTTPStatus.BAD_REQUEST, Code.VALIDATION_FAILED, detail) from None


def _hosts(*urls: str) -> Iterable[str]:
    for url in urls:
        try:
            yield urlsplit(url).hostname or ""
        except ValueError:
            yield ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
