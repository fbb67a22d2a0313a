"""Whether the process lives, and whether it can work: for load balancers and supervisors."""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import JSONResponse

from domain.errors import Code
from starter.telemetry.metrics import Metrics
from starter.web.problems import Problem
from systems.migrate import hindrance
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
        missing = hindrance(systems.engine)
        metrics.ready(is_ready=missing is None)
        if missing:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, Code.UNAVAILABLE, missing)
        return JSONResponse({"status": "ready"})

    return router
