"""Whether the process lives, and whether it can work: for load balancers and supervisors."""

from http import HTTPStatus

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from domain.errors import Code
from starter.web.problems import Problem
from systems.migrate import is_current
from systems.wiring import Systems


def routes(systems: Systems) -> APIRouter:
    """`/healthz`: the process answers. `/readyz`: its database does too, and is migrated."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    def readyz() -> JSONResponse:
        try:
            is_ready = is_current(systems.engine)
        except SQLAlchemyError:
            raise _unavailable("The database does not answer.") from None
        if not is_ready:
            raise _unavailable("The database is not up to date.")
        return JSONResponse({"status": "ready"})

    return router


def _unavailable(detail: str) -> Problem:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, Code.UNAVAILABLE, detail)
