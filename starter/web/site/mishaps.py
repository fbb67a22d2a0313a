"""What goes wrong on a page, as a page: where to go instead, or what happened and what to do."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from domain.errors import Code
from starter.web.guards import Answering
from starter.web.problems import RETRY_AFTER_SECONDS, Problem, problem_of
from starter.web.site import paths
from starter.web.site.writer import Writer, go_to

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

# Not refusals: the account is in another state than the page is for.
INSTEAD = {Code.ACCOUNT_PAUSED: paths.STATUS, Code.ACCOUNT_CLOSED: paths.REOPEN}


def page_route(writer: Writer) -> type[APIRoute]:
    """The kind of route whose errors are pages by `writer`."""

    class PageRoute(APIRoute):
        """Answers whatever goes wrong with a page."""

        def get_route_handler(self) -> Handler:
            handler = super().get_route_handler()

            async def handled(request: Request) -> Response:
                try:
                    return await handler(request)
                except Exception as error:
                    return answer(writer, request, problem_of(error))

            return handled

    return PageRoute


def answer(writer: Writer, request: Request, problem: Problem) -> Response:
    """The page that `problem` leads to."""
    if problem.code == Code.UNAUTHENTICATED:
        return go_to(log_in_first(request))
    if problem.code in INSTEAD:
        return go_to(INSTEAD[Code(problem.code)])
    if request.method == "GET" and request.url.path in paths.WITHOUT_PAGE - {paths.HOME}:
        # A browser that is asked to load anew a page which was the answer to a form.
        return go_to(paths.HOME)
    headers = dict(problem.headers or {})
    if problem.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return writer.page(
        "error",
        getattr(request.state, "visitor", None),
        status=problem.status_code,
        headers=headers,
        problem=problem,
        again=page_of(request),
    )


def answering(writer: Writer) -> Answering:
    """What people get whom no page answers: a page by `writer`. Programs get a document."""

    def answered(request: Request, problem: Problem) -> Response:
        is_api = request.url.path.startswith("/api/")
        is_person = "text/html" in request.headers.get("accept", "") and not is_api
        return answer(writer, request, problem) if is_person else problem.response()

    return answered


def install(app: FastAPI, writer: Writer) -> None:
    """Let people who ask `app` for what is not there see a page; programs get a document."""
    answer_to = answering(writer)

    async def answered(request: Request, error: Exception) -> Response:
        return answer_to(request, problem_of(error))

    app.add_exception_handler(HTTPException, answered)


def log_in_first(request: Request) -> str:
    """The log-in page, which leads back to where the visitor was."""
    return f"{paths.LOG_IN}?{urlencode({'next': page_of(request)})}"


def page_of(request: Request) -> str:
    """The page that was asked for, or that has the form which was sent."""
    path = request.url.path
    if path in paths.WITHOUT_PAGE:
        return paths.HOME
    is_asked = request.method == "GET" and request.url.query
    return f"{path}?{request.url.query}" if is_asked else path
