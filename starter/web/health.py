"""Whether the process lives, and whether it can work: for load balancers and supervisors."""

from http import HTTPStatus

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from domain.errors import Code
from starter.telemetry.metrics import Metrics
from starter.web.problems import Problem
from systems.migrate import is_current
from systems.wiring import Systems


def routes(systems: Systems, metrics: Metrics) -> APIRouter:
    """`/healthz`: the process answers. `/readyz`: its database does too, and is migrated.

    Temporal is not asked: calls, scripts, webhooks and what is only read go on without it.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    def readyz() -> JSONResponse:
        hindrance = _hindrance(systems)
        metrics.ready(is_ready=hindrance is None)
        if hindrance:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, Code.UNAVAILABLE, hindrance)
        return JSONResponse({"status": "ready"})

    return router


def _hindrance(systems: Systems) -> str | None:
    try:
        is_usable = is_current(systems.engine)
    except SQLAlchemyError:
        return "The database does not answer."
    return None if is_usable else "The database is not up to date."
