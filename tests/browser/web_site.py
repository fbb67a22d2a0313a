"""A business's web site and the product's script, under names of their own, on one port.

The site's policy allows scripts from the product's address and no others: none in the page, no
`eval`. Whatever the browser complains about is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from playwright.sync_api import ConsoleMessage, Error, Page
from sqlalchemy import select
from starlette.responses import HTMLResponse

from starter.web.dni import dni_routes
from systems.tables import NumberRow, TrackerRow
from systems.wiring import Systems
from tests.systems.examples import ACCOUNT

# The example account's own number, and what stands in its place.
OWN, ADS = "2015550100", "2015550101"
POOL = ("2015550102", "2015550103")

# A busy machine may be slow, and that is another test's subject.
PATIENCE_SECONDS = 30

SITE, PRODUCT = "www.dentist.example", "dni.product.example"
# A page at this path is in a sandbox, in which even reading cookies is an error.
WITHOUT_COOKIES = "sandboxed"
HTML = """<!doctype html><html><head><meta charset="utf-8"><title>Call (201) 555-0100</title>
<link rel="icon" href="data:,"><script src="{script}" async></script></head>
<body>{body}</body></html>"""


@dataclass
class WebSite:
    """The site's one page, whatever its address; `body` is what is on it."""

    systems: Systems
    page: Page
    port: int = 0
    body: str = ""
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = self.systems.dni.companies(ACCOUNT)[0].script_key

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep what the browser complains about."""

        def keep_error(error: Error) -> None:
            self.errors.append(error.message)

        def keep_complaint(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.errors.append(message.text)

        page = self.page
        page.on("pageerror", keep_error)
        page.on("console", keep_complaint)
        try:
            yield
        finally:
            page.remove_listener("pageerror", keep_error)
            page.remove_listener("console", keep_complaint)

    @property
    def script(self) -> str:
        """The address of the company's script."""
        return f"http://{PRODUCT}:{self.port}/dni/{self.key}/swap.js"

    def url(self, path: str = "", host: str = SITE) -> str:
        """Where the site's page is, or one of somebody else."""
        return f"http://{host}:{self.port}/{path}"

    def open(
        self, body: str | None = None, query: str = "utm_source=google_ads", **more: Any
    ) -> None:
        """Visit the site, by default as somebody who has clicked on an advertisement.

        Browsers are done with a page when its scripts have run, so it is swapped by then.
        """
        a_minute_later(self.page)
        self.body = self.body if body is None else body
        self.page.goto(self.url(f"?{query}"), **more)

    def text(self, selector: str) -> str:
        """What stands there now."""
        return self.page.locator(selector).inner_text()

    def shown(self) -> str:
        """The number that stands in place of the site's own."""
        number: str = self.page.evaluate(f"DNI.getNumber('{OWN}')")
        return number

    def change_number(self, number: str, to: str) -> None:
        """Rent another number in place of the one that ends with `number`."""
        with self.systems.db.transaction() as session:
            rows = session.scalars(select(NumberRow).where(NumberRow.number.endswith(number)))
            rows.one().number = to

    def change_targets(self, source: str, *targets: str) -> None:
        """What the tracker of this source swaps."""
        with self.systems.db.transaction() as session:
            rows = session.scalars(select(TrackerRow).where(TrackerRow.source == source))
            rows.one().swap_targets = list(targets)

    def put_all_numbers_into_the_pool(self) -> None:
        """Then there is one pool of three, for everybody."""
        with self.systems.db.transaction() as session:
            pool = select(TrackerRow.id).where(TrackerRow.source == "all_visitors")
            tracker_id = session.scalars(pool).one()
        self.change(NumberRow, tracker_id=tracker_id)

    def change(self, table: Any, **values: Any) -> None:
        """Change what the account has in that table."""
        with self.systems.db.transaction() as session:
            for row in session.scalars(select(table).where(table.account_id == ACCOUNT)):
                for name, value in values.items():
                    setattr(row, name, value)


def a_minute_later(page: Page) -> None:
    """The browser's copy of the script has become too old."""
    session = page.context.new_cdp_session(page)
    session.send("Network.clearBrowserCache")
    session.detach()


def application(site: WebSite) -> FastAPI:
    """The product's script, and at every other address the site's page."""
    app = FastAPI()
    app.include_router(dni_routes(site.systems, patience_seconds=PATIENCE_SECONDS))

    @app.get("/{path:path}")
    async def visit(path: str) -> HTMLResponse:
        policy = f"default-src 'none'; img-src data:; script-src http://{PRODUCT}:{site.port}"
        if path == WITHOUT_COOKIES:
            policy += "; sandbox allow-scripts"
        html = HTML.format(script=site.script, body=site.body)
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    return app
