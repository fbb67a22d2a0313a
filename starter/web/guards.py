"""What every request passes before a route sees it, and every answer on its way back."""

from collections.abc import Callable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from starter.web.problems import Problem, problem_of, too_large

# For pages and documents alike; a route that needs another value sets its own.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # An address may hold what only its reader is to know, such as the id of a card page.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

# A browser that has seen it never asks over plain HTTP again, whatever a link says; for a year.
STRICT_TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}

# What anybody sends us is short: events of the gateway have 2 to 8 KiB.
BODY_BYTES = 64 * 1024

Answering = Callable[[Request, Problem], Response]


class SafeHeaders:
    """Puts the headers above on every answer that does not have its own."""

    def __init__(self, app: ASGIApp, *, is_secure: bool = False) -> None:
        """Around `app`; `is_secure`: browsers reach it over TLS."""
        self._app = app
        self._headers = {**HEADERS, **(STRICT_TRANSPORT if is_secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_safely)


def as_document(_: Request, problem: Problem) -> Response:
    """The answer to a program."""
    return problem.response()


class LastResort:
    """Answers for errors that nobody foresaw, so that neither caller nor log learns their words.

    It answers for the other guards too, which raise what they refuse.
    """

    def __init__(self, app: ASGIApp, answering: Answering = as_document) -> None:
        """Around `app`; `answering` makes of a problem what is sent."""
        self._app = app
        self._answering = answering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        has_begun = False

        async def send_noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception as error:
            if scope["type"] != "http":
                raise
            problem = problem_of(error)
            if not has_begun:
                await self._answering(Request(scope), problem)(scope, receive, send)


class BodyLimit:
    """Refuses bodies of more than `limit` bytes, announced or not, before they are kept.

    What it refuses it raises: `LastResort` belongs around it.
    """

    def __init__(self, app: ASGIApp, limit: int = BODY_BYTES) -> None:
        """Around `app`."""
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class.

        Raises:
            Problem: 413 `payload_too_large`.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._limit:
            raise too_large(self._limit)
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise too_large(self._limit)
            return message

        await self._app(scope, receive_within_limit, send)
