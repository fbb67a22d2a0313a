"""All pages of the product, in every state, on sample accounts at a fixed moment; Temporal is away.

Each world is a database of its own, so that a page looks the same whatever was opened before.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from domain.errors import Transient
from domain.messages import CollectFee
from domain.states import Role
from starter.web.site import paths
from systems.identity.sessions import begin
from systems.numbers import Activity
from systems.numbers.reports import Report
from systems.sample import SampleAccount, seed
from systems.sample.parts import user_id
from systems.tables import UserRow
from systems.wiring import Systems, open_systems
from tests.browser.fixture import served
from tests.browser.product import DESKTOP
from tests.starter.web.site.accounts import begun, closed, paused, put_on_file
from tests.starter.web.site.visit import SESSION, Front, backend_without_temporal, front_of

FOLDER = Path(__file__).parents[2] / "docs/screenshots"
# What is set when the pictures of the documents are to be made anew.
ASKED_FOR_BY = "MAKE_SCREENSHOTS"

NOW = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)
PAUSED_AT = datetime(2026, 9, 7, 14, 30, tzinfo=UTC)

BRIGHTSIDE, NORTHGATE, BAKERY = "brightside-dental", "northgate-movers", "corner-bakery"


@dataclass(frozen=True)
class Picture:
    """A page and who looks at it. `presses` is a button to press first, with what is filled in.

    Pages under `held_back` do not open, so that one that leads there at once can be looked at.
    """

    name: str
    path: str
    who: str = BRIGHTSIDE
    role: Role = Role.ADMIN
    presses: str | None = None
    # These refresh themselves, which a checker of accessibility does not like; they say so.
    refreshes: bool = False
    held_back: str | None = None


@dataclass
class World:
    """One state of the sample accounts, served."""

    systems: Systems
    front: Front
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def shows(self, page: Page, picture: Picture) -> None:
        """Open the picture's page as its visitor."""
        user = user_id(picture.who, picture.role)
        page.context.add_cookies([{"name": SESSION, "value": self._token(user), "url": self.url}])
        if picture.held_back is not None:
            # Told that there is nothing, a browser stays where it is.
            page.route(picture.held_back, lambda route: route.fulfill(status=204))
        named = {"act": self.act_id(picture.who), "tracker": self.tracker_id(picture.who)}
        page.goto(self.url + picture.path.format(**named))
        if picture.presses is not None:
            page.get_by_role("button", name=picture.presses, exact=True).click()
            page.wait_for_load_state()

    def act_id(self, who: str) -> str:
        """The account's pause."""
        act = self.systems.accounts.last_act(self.account(who).account_id)
        return act.act_id if act else "PAU" + 32 * "0"

    def tracker_id(self, who: str) -> str:
        """The account's first tracker."""
        return self.systems.numbers.trackers(self.account(who).account_id)[0].tracker_id

    def account(self, who: str) -> SampleAccount:
        """The sample account with this key."""
        administrator = user_id(who, Role.ADMIN)
        return next(
            each for each in seed(self.systems, NOW) if each.administrator_id == administrator
        )

    def _token(self, user: str) -> str:
        if user not in self.tokens:
            with self.systems.db.transaction() as session:
                new = begin(session, session.get_one(UserRow, user), NOW)
            self.tokens[user] = new.token
        return self.tokens[user]


def as_seeded(systems: Systems) -> None:
    """Nothing has happened."""
    seed(systems, NOW)


def after_two_months_of_pause(systems: Systems) -> None:
    """Two fees are paid, the third is too: all is well."""
    account = seed(systems, PAUSED_AT)[0]
    step = paused(systems, account, PAUSED_AT)
    _collect(systems, step, 3)


def with_a_declined_fee(systems: Systems) -> None:
    """Two fees are paid, the third was declined."""
    account = seed(systems, PAUSED_AT)[0]
    step = paused(systems, account, PAUSED_AT)
    _collect(systems, step, 2)
    put_on_file(systems, account, "insufficient_funds")
    _collect(systems, step, 3)


def while_pausing(systems: Systems) -> None:
    """A pause has just been asked for."""
    begun(systems, seed(systems, NOW)[0], NOW)


def after_the_close(systems: Systems) -> None:
    """The account is closed for good."""
    closed(systems, seed(systems, NOW)[0], NOW - timedelta(days=3))


WORLDS: dict[str, tuple[Callable[[Systems], None], tuple[Picture, ...]]] = {
    "active": (
        as_seeded,
        (
            Picture("activity", paths.ACTIVITY),
            Picture("reports-by-day", f"{paths.REPORTS}?by=day"),
            Picture("reports-by-source", f"{paths.REPORTS}?by=source"),
            Picture("reports-by-tracker", f"{paths.REPORTS}?by=tracker"),
            Picture("reports-mistake", f"{paths.REPORTS}?since=2026-03-02&until=2026-03-01"),
            Picture("trackers", paths.TRACKERS),
            Picture("trackers-manager", paths.TRACKERS, role=Role.MANAGER),
            Picture("new-tracker", paths.NEW_TRACKER),
            Picture("disable", f"{paths.DISABLE_TRACKERS}?tracker={{tracker}}"),
            Picture(
                "disable-mistake",
                f"{paths.DISABLE_TRACKERS}?tracker={{tracker}}",
                presses="Disable for good",
            ),
            Picture("billing", paths.BILLING),
            Picture("billing-reporting", paths.BILLING, role=Role.REPORTING),
            Picture("cancel", paths.CANCEL),
            Picture("pause", paths.PAUSE),
            Picture("pause-mistake", paths.PAUSE, presses="Pause my account"),
            Picture("pause-bad-date", f"{paths.PAUSE}?resume_on=2020-01-01"),
            Picture("pause-card-first", paths.PAUSE, who=BAKERY),
            Picture("pause-too-many", paths.PAUSE, who=NORTHGATE),
            Picture("close", paths.CLOSE),
            Picture("close-mistake", paths.CLOSE, presses="Close for good"),
            Picture("not-for-managers", paths.PAUSE, role=Role.MANAGER),
            Picture("not-found", "/nowhere"),
            Picture(
                "to-the-gateway",
                paths.BILLING,
                presses="Enter another card",
                refreshes=True,
                held_back="**/sandbox/**",
            ),
            Picture("nothing", f"{paths.PROGRESS}/{{act}}?asked=pause&again=9", refreshes=True),
        ),
    ),
    "paused": (
        after_two_months_of_pause,
        (
            Picture("status", paths.STATUS),
            Picture("status-just-paused", f"{paths.STATUS}?done=pause"),
            Picture("status-manager", paths.STATUS, role=Role.MANAGER),
            Picture("resume", paths.RESUME),
            Picture("resume-mistake", paths.RESUME, presses="Resume my account"),
            Picture("trackers-while-paused", paths.TRACKERS),
            Picture("billing-while-paused", paths.BILLING),
            Picture("close-while-paused", paths.CLOSE),
        ),
    ),
    "declined": (
        with_a_declined_fee,
        (
            Picture("past-due", paths.STATUS),
            Picture("past-due-billing", paths.BILLING),
            Picture("past-due-resume", paths.RESUME),
        ),
    ),
    "away": (as_seeded, (Picture("unavailable", paths.REPORTS),)),
    "pausing": (
        while_pausing,
        (Picture("progress", f"{paths.PROGRESS}/{{act}}?asked=pause&again=99", refreshes=True),),
    ),
    "closed": (
        after_the_close,
        (
            Picture("reopen", paths.REOPEN),
            Picture("reopen-manager", paths.REOPEN, role=Role.MANAGER),
            Picture("closed", f"{paths.PROGRESS}/{{act}}?asked=close"),
        ),
    ),
}


class Away(Activity):
    """Activity, while the database that has it does not answer."""

    def report(self, *_: object, **__: object) -> Report:
        """Always too late."""
        raise Transient("the database did not answer")


@contextmanager
def world(name: str, template: Path, folder: Path) -> Iterator[World]:
    """The world of that name, on a copy of the migrated database `template`."""
    database = folder / f"{name}.db"
    shutil.copyfile(template, database)
    systems = open_systems(f"sqlite:///{database}", f"sqlite:///{folder / f'{name}-gateway.db'}")
    make, _ = WORLDS[name]
    make(systems)
    if name == "away":
        systems = replace(systems, activity=Away(systems.db))
    # Playwright's loop counts as running in this thread, so another one makes the client.
    with ThreadPoolExecutor(1) as elsewhere:
        made = backend_without_temporal(systems, clock=lambda: NOW)
        front = front_of(elsewhere.submit(asyncio.run, made).result(), clock=lambda: NOW)
    try:
        with served(front.app) as port:
            yield World(systems, front, f"http://127.0.0.1:{port}")
    finally:
        systems.close()


@contextmanager
def tab(browser: Browser, **more: Any) -> Iterator[Page]:
    """An empty tab of a fresh browser."""
    context = browser.new_context(**{"viewport": DESKTOP, **more})
    try:
        yield context.new_page()
    finally:
        context.close()


def _collect(systems: Systems, step: dict[str, Any], fees: int) -> None:
    act = systems.accounts.act(step["act_id"])
    assert act is not None
    assert act.timeline is not None
    for fee in act.timeline.fees[:fees]:
        systems.billing.collect_fee(
            CollectFee(**{**step, "at": fee.due_at}, billing_on=fee.billing_on, due_at=fee.due_at)
        )
