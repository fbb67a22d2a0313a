"""Log in, log out, and who one is."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from domain.errors import Code
from starter.web.api.answers import Answer
from starter.web.api.bodies import LogInBody
from starter.web.api.documents import Me
from starter.web.api.guard import By
from starter.web.api.routes.table import Table
from starter.web.api.services import Services
from starter.web.identity.entrance import Entrance
from starter.web.identity.forgery import CROSS_SITE
from starter.web.identity.principal import Principal
from starter.web.problems import Problem
from systems.identity import User
from systems.identity.sessions import LiveSession

NO_CONTENT = HTTPStatus.NO_CONTENT


def session_routes(api: Services) -> APIRouter:
    """`/sessions` and `/me`."""
    sessions, table = Sessions(api.entrance), Table("Sessions", api.guards)
    table.public(
        "POST",
        "/sessions",
        sessions.log_in,
        Me,
        status=HTTPStatus.CREATED,
        codes=[Code.UNAUTHENTICATED, CROSS_SITE],
    )
    table.of_user("DELETE", "/sessions/current", sessions.log_out, None, status=NO_CONTENT)
    table.of_user("DELETE", "/sessions", sessions.log_out_everywhere, None, status=NO_CONTENT)
    table.of_user("GET", "/me", sessions.get_me, Me)
    return table.router


class Sessions:
    """What the routes do."""

    def __init__(self, entrance: Entrance) -> None:
        """Let people in and out by `entrance`."""
        self._entrance = entrance

    def log_in(self, request: Request, body: LogInBody) -> Response:
        """Begin a session for a browser; the answer sets its cookie.

        An unknown e-mail and a wrong password get the same answer.
        """
        new = self._entrance.log_in(request, body.email, body.password)
        if new is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                Code.UNAUTHENTICATED,
                "No user has that e-mail and password.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        response = Answer(_me(new.session.user, new.session), HTTPStatus.CREATED).response()
        self._entrance.cookies.log_in(response, new)
        return response

    def log_out(self, by: By) -> Response:
        """End the session that asks. An API key ends by being revoked, not here."""
        return self._logged_out(by, everywhere=False)

    def log_out_everywhere(self, by: By) -> Response:
        """End all sessions of the user who asks."""
        return self._logged_out(by, everywhere=True)

    def get_me(self, by: By) -> Response:
        """Who is asking, and for which account."""
        return Answer(_me(by.user, by.session)).response()

    def _logged_out(self, by: Principal, *, everywhere: bool) -> Response:
        self._entrance.log_out(by, everywhere=everywhere)
        response = Response(status_code=NO_CONTENT)
        self._entrance.cookies.log_out(response)
        return response


def _me(user: User, session: LiveSession | None) -> Me:
    return Me.of(
        user,
        csrf_token=session.csrf_secret if session else None,
        ends_at=session.ends_at if session else None,
    )
