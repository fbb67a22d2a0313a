"""A small business's web site to try the script on: files as they are, on the local stack only."""

from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

PAGES = Path(__file__).with_name("sample_site")

HEADERS = {
    # As strict as a careful business would have it: scripts by address only, none in the page.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # Browsers' default. The product's own pages are stricter, and would look like direct visits.
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


def sample_site_routes() -> APIRouter:
    """`/sample-site/`, with whatever lies in the folder of that name."""
    router = APIRouter(include_in_schema=False)
    files = {path.name: path.read_bytes() for path in sorted(PAGES.iterdir())}

    @router.api_route("/sample-site/{name:path}", methods=["GET", "HEAD"])
    async def file(name: str) -> Response:
        name = name or "index.html"
        if name not in files:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        media_type, _ = guess_type(name)
        return Response(files[name], media_type=media_type, headers=HEADERS)

    return router
