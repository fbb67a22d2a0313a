"""Pages for people: plain HTML from templates, without scripts, under a policy that allows none.

`templates/layout.html.j2` is the frame of every page.
"""

from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")

# After an update pages look odd for no longer than that.
KEPT_SECONDS = 300


class Assets(StaticFiles):
    """Style sheets and pictures, which a browser may keep for a few minutes."""

    def file_response(self, *args: Any, **more: Any) -> Response:
        """The file, with the time for which it may be kept."""
        answer = super().file_response(*args, **more)
        answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
        return answer


class Pages:
    """Writes pages."""

    def __init__(self, templates: Environment | None = None) -> None:
        """Read templates as they are asked for, from `templates` or a plain environment."""
        self._templates = templates or environment()

    def page(
        self,
        template: str,
        *,
        status: int = HTTPStatus.OK,
        leads_to: str | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """The page from `template`; `leads_to` is where answering its form may send the browser."""
        html = self._templates.get_template(f"{template}.html.j2").render(values)
        headers = {"Content-Security-Policy": _policy(leads_to)}
        return HTMLResponse(html, status, headers)


def environment() -> Environment:
    """Templates that escape whatever they show and know nothing that they are not told."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _policy(leads_to: str | None) -> str:
    """Nothing but our own style sheet, and forms to ourselves.

    Browsers hold a form's target to the policy through its redirects as well, so the origin to
    which an answer leads has to be named.
    """
    forms = "'self'"
    if leads_to is not None:
        parts = urlsplit(leads_to)
        forms += f" {parts.scheme}://{parts.netloc}"
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
        f" frame-ancestors 'none'; form-action {forms}"
    )
