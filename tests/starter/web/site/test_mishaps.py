"""Whatever goes wrong on a page is a page in the same look; programs get documents."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from domain.errors import Transient
from domain.states import Role
from starter.web.site import paths
from systems.numbers import Activity
from systems.numbers.reports import Report
from systems.sample import SampleAccount
from systems.wiring import Systems
from tests.starter.web.site.accounts import new_account
from tests.starter.web.site.visit import (
    OURS,
    Front,
    Shown,
    Visit,
    backend_without_temporal,
    front_of,
    visit_of,
)


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    return new_account(systems)


@pytest.fixture
async def visit(quiet: Front, account: SampleAccount) -> AsyncIterator[Visit]:
    async with quiet.visited_by(account.administrator_id) as opened:
        yield opened


async def test_what_is_not_there_is_a_page(visit: Visit) -> None:
    for path in ("/nope", "/settings/nope", "/settings", "/<script>", "/a%00b"):
        shown = await visit.get(path)

        assert 404 == shown.status, path
        assert "There is no such page" in shown.text
        assert "<script" not in shown.html
        assert "default-src 'none'" in shown.headers["content-security-policy"]


async def test_where_only_forms_are_sent_to_a_reload_leads_home(visit: Visit) -> None:
    for path in (paths.RESUME_DATE, paths.ENTER_CARD, paths.LOG_OUT):
        assert paths.ACTIVITY == (await visit.get(path)).path


async def test_programs_get_a_document_of_what_is_not_there(visit: Visit) -> None:
    answers = [
        await visit.client.get("/nope", headers={"Accept": "application/json"}),
        await visit.client.get("/nope"),
        await visit.client.get("/api/v1/nope", headers={"Accept": "text/html"}),
    ]

    for answer in answers:
        assert 404 == answer.status_code
        assert "application/problem+json" == answer.headers["content-type"]


async def test_somebody_without_a_log_in_gets_the_same_page(quiet: Front) -> None:
    async with visit_of(quiet.app) as stranger:
        shown = await stranger.get("/nope")

    assert 404 == shown.status
    assert paths.HOME == shown.page.links["To the start"]


async def test_who_may_not_is_told_whom_to_ask(quiet: Front, account: SampleAccount) -> None:
    async with quiet.visited_by(quiet.user(account.account_id, Role.MANAGER)) as visit:
        shown = await visit.get(paths.PAUSE)

    assert 403 == shown.status
    assert "This is for administrators" in shown.text
    assert paths.ACTIVITY == shown.page.links["Go on"]


class Failing(Activity):
    """Every report goes wrong in the same way."""

    def __init__(self, systems: Systems, error: Exception) -> None:
        super().__init__(systems.db)
        self._error = error

    def report(self, *_: object, **__: object) -> Report:
        raise self._error


async def reports_of(systems: Systems, account: SampleAccount, error: Exception) -> Shown:
    """The reports page while they go wrong."""
    failing = replace(systems, activity=Failing(systems, error))
    front = front_of(await backend_without_temporal(failing))
    async with front.visited_by(account.administrator_id) as visit:
        return await visit.get(f"{paths.REPORTS}?by=source")


async def test_what_is_away_can_be_tried_again(systems: Systems, account: SampleAccount) -> None:
    shown = await reports_of(systems, account, Transient("the database is away: secret@host"))

    assert 503 == shown.status
    assert f"{paths.REPORTS}?by=source" == shown.page.links["Try again"]
    assert "5" == shown.headers["retry-after"]
    assert "secret" not in shown.html


async def test_our_own_mistake_is_told_without_its_words(
    systems: Systems, account: SampleAccount
) -> None:
    shown = await reports_of(systems, account, KeyError("+13125550100"))

    assert 500 == shown.status
    assert "Something went wrong here" in shown.text
    assert "5550100" not in shown.html


async def test_style_sheets_may_be_kept_and_pages_may_not(visit: Visit) -> None:
    page = await visit.get(paths.BILLING)
    sheets = [each["href"] for tag, each in page.page.tags if each.get("rel") == "stylesheet"]
    kept = {(await visit.client.get(str(sheet))).headers["cache-control"] for sheet in sheets}

    assert "no-store" == page.headers["cache-control"]
    assert {"public, max-age=300"} == kept


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_form_that_is_far_too_large_is_refused_by_a_page(
    visit: Visit, is_announced: bool
) -> None:
    body = b"reason=" + b"x" * 70_000

    async def in_parts() -> AsyncIterator[bytes]:
        for begin in range(0, len(body), 10_000):
            yield body[begin : begin + 10_000]

    answer = await visit.client.post(
        paths.PAUSE,
        content=body if is_announced else in_parts(),
        headers={**OURS, "Content-Type": "application/x-www-form-urlencoded"},
    )

    assert (413, "text/html") == (answer.status_code, media_type(answer))
    assert "That is more than we can take" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_program_that_sends_too_much_gets_a_document(visit: Visit) -> None:
    answer = await visit.client.post(paths.PAUSE, content=b"x" * 70_000)

    assert (413, "application/problem+json") == (answer.status_code, media_type(answer))


def media_type(answer: httpx.Response) -> str:
    return answer.headers["content-type"].partition(";")[0]


async def test_a_form_with_far_too_many_fields_or_with_files_is_refused(visit: Visit) -> None:
    shown = await visit.get(paths.TRACKERS)
    token = shown.page.form("Log out").value("csrf")
    many = {f"field{count}": "x" for count in range(1500)}
    headers = {"Origin": "http://shop.example", "Accept": "text/html"}
    fields = await visit.client.post(
        paths.DISABLE_TRACKERS, data={"csrf": token, **many}, headers=headers
    )
    files = await visit.client.post(
        paths.DISABLE_TRACKERS,
        data={"csrf": token},
        files={"tracker": ("a.txt", b"x")},
        headers=headers,
    )

    assert (400, 400) == (fields.status_code, files.status_code)
