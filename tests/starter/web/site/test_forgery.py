"""Forms are taken from our own pages only, with the session's token; else nothing happens."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import pytest

from starter.web.site import paths
from systems.sample import SampleAccount
from systems.wiring import Systems
from tests.starter.web.shop import everything_in
from tests.starter.web.site.accounts import new_account, paused
from tests.starter.web.site.test_matrix import FORMS
from tests.starter.web.site.visit import OURS, Front, Visit

# Enough for any of the forms to be acted on.
FIELDS = {
    "confirm": "CLOSE",
    "accept": "yes",
    "understood": "yes",
    "tracker": "TRK" + 32 * "0",
    "then": "billing",
}
GUARDED = sorted(FORMS - {paths.LOG_IN})
EVIL: Mapping[str, Mapping[str, str]] = {
    "another origin": {"Origin": "https://evil.example"},
    "no origin": {},
    "an opaque origin": {"Origin": "null"},
    "an opaque origin, says the browser": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "another site, says the browser": {**OURS, "Sec-Fetch-Site": "cross-site"},
    "a sister site, says the browser": {**OURS, "Sec-Fetch-Site": "same-site"},
}


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    return new_account(systems)


@pytest.fixture
async def visit(quiet: Front, account: SampleAccount) -> AsyncIterator[Visit]:
    async with quiet.visited_by(account.administrator_id) as opened:
        yield opened


async def token_of(visit: Visit) -> str:
    shown = await visit.get(paths.BILLING)
    return shown.page.form("Log out").value("csrf")


async def test_a_form_without_the_sessions_token_does_nothing(
    visit: Visit, systems: Systems
) -> None:
    await visit.get(paths.BILLING)
    before = everything_in(systems)

    for path in GUARDED:
        for token in ({}, {"csrf": ""}, {"csrf": "x" * 43}, {"csrf": "ü"}):
            answer = await visit.client.post(path, data={**FIELDS, **token}, headers=OURS)

            assert 403 == answer.status_code, path
            assert "We could not tell where that came from" in answer.text

    assert before == everything_in(systems)


@pytest.mark.parametrize("whence", EVIL)
async def test_a_form_from_elsewhere_does_nothing_even_with_the_token(
    visit: Visit, systems: Systems, whence: str
) -> None:
    token = await token_of(visit)
    before = everything_in(systems)

    for path in GUARDED:
        answer = await visit.client.post(
            path, data={**FIELDS, "csrf": token}, headers={"Accept": "text/html", **EVIL[whence]}
        )

        assert 403 == answer.status_code, path

    assert before == everything_in(systems)


async def test_somebody_elses_token_is_none(
    visit: Visit, quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    async with quiet.visited_by(new_account(systems).administrator_id) as other:
        theirs = await token_of(other)

    answer = await visit.client.post(paths.LOG_OUT, data={"csrf": theirs}, headers=OURS)

    assert 403 == answer.status_code
    assert paths.BILLING == (await visit.get(paths.BILLING)).path


async def test_control_with_token_and_origin_the_form_is_taken(visit: Visit) -> None:
    token = await token_of(visit)

    answer = await visit.client.post(paths.LOG_OUT, data={"csrf": token}, headers=OURS)

    assert (303, paths.LOG_IN) == (answer.status_code, answer.headers["location"])


async def test_a_browser_that_names_no_origin_but_says_it_is_ours_is_believed(
    visit: Visit,
) -> None:
    token = await token_of(visit)
    # As browsers send it that were told to withhold addresses from every site.
    nameless = {**OURS, "Origin": "null", "Sec-Fetch-Site": "same-origin"}

    without_token = await visit.client.post(paths.LOG_OUT, headers=nameless)
    answer = await visit.client.post(paths.LOG_OUT, data={"csrf": token}, headers=nameless)

    assert 403 == without_token.status_code
    assert (303, paths.LOG_IN) == (answer.status_code, answer.headers["location"])


async def test_a_form_after_the_session_has_ended_leads_to_the_log_in_and_back(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    paused(systems, account)
    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.RESUME)
        systems.identity.sessions.end_all(account.administrator_id, datetime.now(UTC))
        answer = await visit.post(shown, "Resume my account", accept="yes")

    assert f"{paths.LOG_IN}?next=%2Fstatus%2Fresume" == answer.headers["location"]
