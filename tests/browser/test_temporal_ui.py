"""An operator's questions, answered by what Temporal's Web UI shows in a real browser.

The pictures of `docs/web-ui.md` are kept on the way when asked: `make screenshots`. What a busy
machine takes long for is left to `make test-slow`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, expect

from domain import names
from domain.queries import SAVED_QUERIES, of_account
from domain.states import AccountStatus, ChargeState, PauseState
from tests.browser.fixture import Started, inside
from tests.browser.gallery import FOLDER
from tests.browser.operators import PICTURES, Operator, operator_at
from tests.browser.web_ui import (
    ABORTED,
    AWAITED,
    CALM,
    CHANGING,
    CLOSED,
    LEAVING,
    MENDED,
    MOVED,
    PAST_DUE,
    REFUSED,
    RESUMED,
    RETRYING,
    STUCK,
    Scene,
    web_ui,
)

QUERIES = {saved.name: saved.query for saved in SAVED_QUERIES}
LISTED: dict[str, set[str]] = {
    "open pauses": {CALM, PAST_DUE, STUCK, RETRYING},
    "who needs an operator": {STUCK},
    "unpaid fees": {PAST_DUE},
    "on the way in or out": {RETRYING},
    "closed accounts": {CLOSED},
    "runs that are halted": set(),
    "runs that broke": set(),
}


@pytest.fixture(scope="module")
def scene(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("web-ui")
    database = folder / "product.db"
    database.write_bytes(sqlite_template.read_bytes())
    with web_ui(f"sqlite:///{database}", f"sqlite:///{folder / 'gateway.db'}", folder) as made:
        yield made


@pytest.fixture(scope="module")
def at_work(scene: Scene, started_browser: Started) -> Iterator[Operator]:
    # One tab for all: the Web UI's first page takes longer than everything after it.
    with inside(started_browser.loop):
        opened = operator_at(started_browser.browser, scene)
        operator = opened.__enter__()
    yield operator
    with inside(started_browser.loop):
        opened.__exit__(None, None, None)


@pytest.fixture
def operator(at_work: Operator, browser: Browser) -> Operator:
    return at_work


async def _listed(scene: Scene, query: str) -> set[str]:
    runs = [run.id async for run in scene.client.list_workflows(query)]
    return {who for who in scene.stages if scene.run_id(who) in runs}


def test_every_saved_query_lists_what_it_says(scene: Scene) -> None:
    listed = {name: scene.portal.call(_listed, scene, query) for name, query in QUERIES.items()}

    assert LISTED == {name: who - CHANGING for name, who in listed.items()}


def test_which_accounts_are_paused(operator: Operator) -> None:
    listed = operator.lists(QUERIES["open pauses"])
    operator.adds_columns("PauseState", "NeedsOperator", "PastDue", "ResumeAt")

    assert LISTED["open pauses"] == listed - CHANGING
    expect(operator.row_of(CALM)).to_contain_text("paused")
    expect(operator.row_of(RETRYING)).to_contain_text("resuming")
    expect(operator.row_of(PAST_DUE)).to_contain_text("true")
    operator.keeps("open-pauses")


def test_which_accounts_need_an_operator(operator: Operator) -> None:
    listed = operator.lists(QUERIES["who needs an operator"])

    assert {STUCK} == listed - CHANGING
    operator.keeps("needs-an-operator")


def test_what_happened_to_this_one(operator: Operator) -> None:
    operator.opens(CALM)

    for label in (
        "begin_pause • check the rules",
        "suspend_plan • the plan stops invoicing",
        "retain_numbers • calls hear the intercept",
    ):
        expect(operator.bar(label)).to_be_visible()
    expect(operator.bar(re.compile(r"^collect_fee • fee of 20\d\d-\d\d-\d\d$"))).to_have_count(2)
    expect(operator.bar(re.compile(r"^fee of 20\d\d-\d\d-\d\d$"))).to_have_count(3)
    operator.keeps("timeline")


def test_what_is_next_what_was_charged_and_what_may_i_press(operator: Operator) -> None:
    operator.opens(CALM)
    calm = operator.reads()
    led_to = operator.follows("All runs of this account")
    operator.opens(PAST_DUE)
    past_due = operator.reads()
    operator.keeps("past-due", tall=True)

    account_id = operator.scene.stages[CALM].account_id
    assert "Operator: nothing to do." in calm
    assert re.search(r"Next: 20\d\d-\d\d-\d\d \d\d:00 UTC, the fee is charged", calm)
    assert "Charged: $10.00, for 2 of the dates below" in calm
    assert calm.count("paid") == 2
    assert "send the signal resume without data" in calm
    assert "Never Terminate or Reset" in calm
    assert unquote(led_to).endswith(f"?query={of_account(account_id)}")
    assert "Paused, a fee is unpaid" in past_due
    assert "declined: insufficient funds" in past_due
    assert "the fee is tried again" in past_due


def test_what_became_of_those_that_are_over(operator: Operator) -> None:
    told = {}
    for who in (CLOSED, REFUSED, RESUMED):
        operator.opens(who)
        told[who] = operator.reads()

    assert "Numbers released: 12" in told[CLOSED]
    assert "disable at least 3" in told[REFUSED]
    assert "Numbers back: 12" in told[RESUMED]
    assert all("nothing to do" in page for page in told.values())


def test_what_can_be_searched_for(operator: Operator) -> None:
    operator.opens(PAST_DUE)
    operator.turns_to("Search Attributes")

    shown = operator.page.locator("main")
    expect(shown).to_contain_text(f'"AccountId": "{operator.scene.stages[PAST_DUE].account_id}"')
    expect(shown).to_contain_text('"PauseState": "paused"')
    expect(shown).to_contain_text('"PastDue": true')
    expect(shown).to_contain_text('"NeedsOperator": false')
    expect(shown).to_contain_text('"ResumeAt": "20')
    operator.keeps("search-attributes")


def test_why_is_it_stuck_and_retry_lets_it_go_on(operator: Operator) -> None:
    scene, stage = operator.scene, operator.scene.stages[MENDED]
    operator.opens(MENDED)
    stuck = operator.reads()
    operator.keeps("stuck", tall=True)
    scene.billing.is_back_for(stage.account_id)

    description = operator.sends("a Signal", names.RETRY, picture="signal")

    assert "Paused, waits for an operator" in stuck
    assert "collect_fee of 20" in stuck
    assert "compare both records. Mend the cause, then send the signal retry." in stuck
    assert "The cause is mended: stuck steps go on. No data." == description
    scene.portal.call(stage.until_charge, stage.handle(), 0, ChargeState.PAID)


def test_a_step_that_is_tried_again_says_why_and_goes_on_when_its_system_is_back(
    operator: Operator,
) -> None:
    scene, stage = operator.scene, operator.scene.stages[AWAITED]
    operator.opens(AWAITED)
    operator.turns_to("Pending Activities")
    shown = operator.page.locator("main")
    expect(shown).to_contain_text("reactivate_numbers")
    expect(shown).to_contain_text("the database did not answer: OperationalError")
    expect(shown).to_contain_text(re.compile(r"([4-9]|\d\d+) / Unlimited", re.IGNORECASE))
    operator.keeps("pending", above="Stack Trace")
    scene.numbers.is_back_for(stage.account_id)

    operator.tries_at_once()

    scene.state_of(AWAITED, PauseState.RESUMED)


def test_resume_needs_no_data(operator: Operator) -> None:
    operator.opens(LEAVING)

    description = operator.sends("a Signal", names.RESUME)

    scene = operator.scene
    scene.state_of(LEAVING, PauseState.RESUMED)
    assert "Resume the account now. No data: as an operator" in description
    assert ("operator", "resume_begun") in scene.stages[LEAVING].audited()


def test_another_resume_date_and_a_resume_in_an_administrators_name(operator: Operator) -> None:
    scene, stage = operator.scene, operator.scene.stages[MOVED]
    until = scene.state_of(MOVED, PauseState.PAUSED).resume_on
    assert until is not None
    on = until.replace(day=1).isoformat()
    operator.opens(MOVED)

    told = operator.sends(
        "an Update",
        names.CHANGE_RESUME_DATE,
        json.dumps({"requested_by": stage.administrator, "resume_on": on}),
        picture="update",
    )
    moved = scene.state_of(MOVED, PauseState.PAUSED)
    operator.sends("a Signal", names.RESUME, json.dumps({"requested_by": stage.administrator}))

    scene.state_of(MOVED, PauseState.RESUMED)
    assert '"resume_on": "YYYY-MM-DD"' in told
    assert on == str(moved.resume_on)
    assert (stage.administrator, "resume_begun") in stage.audited()


def test_a_cancel_restores_the_account(operator: Operator) -> None:
    operator.opens(ABORTED)

    operator.cancels()

    stage = operator.scene.stages[ABORTED]
    expect(operator.page.locator("main").get_by_text("Canceled").first).to_be_visible()
    assert AccountStatus.ACTIVE is stage.account_status()
    operator.keeps("cancelled")


def test_every_picture_of_the_tour_is_there_and_is_shown() -> None:
    tour = FOLDER.with_name("web-ui.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"screenshots/ui-([a-z-]+)\.png", tour))

    assert PICTURES == shown
    there = {path.stem.removeprefix("ui-") for path in FOLDER.glob("ui-*.png")}
    assert PICTURES == there, "run `make screenshots`"
