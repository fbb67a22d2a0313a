"""Dynamic number insertion's public edge: one script per company, for its web site (R5).

The address never changes and always answers 200: with a script that swaps numbers, or with one that
has the same functions and leaves every number alone. A web site needs neither an edit nor luck.
"""

import logging
import re
from hashlib import sha256
from http import HTTPStatus

from anyio import CapacityLimiter, fail_after, to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from domain.errors import Transient, unforeseen
from starter.web.sample_site import sample_site_routes
from starter.web.swap_script import SwapScripts
from systems.dni import SqlDni
from systems.wiring import Systems

log = logging.getLogger("account_pause.web")

KEY = re.compile(r"[0-9A-Za-z_-]{1,64}")

HEADERS = {
    "Content-Type": "text/javascript; charset=utf-8",
    # After a pause or a resume web sites follow within this minute.
    "Cache-Control": "public, max-age=60",
    "X-Content-Type-Options": "nosniff",
    # Any web site may load it, with and without `crossorigin` on its script tag.
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
}

# A web site must not wait for our database: after that time it keeps its own number.
PATIENCE_SECONDS = 2.0
# Not all of the process's threads, so that a slow database leaves some to everybody else.
LOOKUPS_AT_ONCE = 8


def dni_routes(
    systems: Systems, *, with_sample_site: bool = False, patience_seconds: float = PATIENCE_SECONDS
) -> APIRouter:
    """`GET /dni/{script_key}/swap.js`, and where it is wanted the sample web site that uses it."""
    router = APIRouter(include_in_schema=False)
    edge = Edge(systems.dni, patience_seconds)

    # Whatever is written for the key: a script that is not found is an error on somebody's page.
    @router.api_route("/dni/{script_key:path}/swap.js", methods=["GET", "HEAD"])
    async def swap_script(script_key: str, request: Request) -> Response:
        return answer(request, await edge.script(script_key))

    if with_sample_site:
        router.include_router(sample_site_routes())
    return router


class Edge:
    """Finds the script for a key, quickly, and never fails."""

    def __init__(self, dni: SqlDni, patience_seconds: float) -> None:
        """Look up in `dni`, no longer than `patience_seconds`."""
        self._dni = dni
        self._patience_seconds = patience_seconds
        self._scripts = SwapScripts()
        self._limiter = CapacityLimiter(LOOKUPS_AT_ONCE)

    async def script(self, key: str) -> bytes:
        """The company's script; the inert one when there is none, or when anything goes wrong."""
        if KEY.fullmatch(key) is None:
            return self._scripts.inert
        try:
            return await self._company_script(key)
        except Exception as error:
            _note(error)
            return self._scripts.inert

    async def _company_script(self, key: str) -> bytes:
        with fail_after(self._patience_seconds):
            company = await to_thread.run_sync(
                self._dni.web_script, key, abandon_on_cancel=True, limiter=self._limiter
            )
        return self._scripts.script(company)


def answer(request: Request, body: bytes) -> Response:
    """`body`, or that the browser has it already, or to HEAD how long it would be."""
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {**HEADERS, "ETag": tag}
    if tag in _known_tags(request):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if request.method == "HEAD":
        return Response(headers={**headers, "Content-Length": str(len(body))})
    return Response(body, headers=headers)


def _known_tags(request: Request) -> list[str]:
    """What `If-None-Match` holds. Weak tags count too: a proxy that compresses makes them so."""
    values = ",".join(request.headers.getlist("if-none-match")).split(",")
    return [value.strip().removeprefix("W/") for value in values]


def _note(error: Exception) -> None:
    # Never the message: it may hold what logs must not (R17).
    if isinstance(error, Transient | TimeoutError):
        log.warning("a script was served that swaps nothing: %s", type(error).__name__)
    else:
        log.error("a script could not be made: %s", unforeseen(error))
