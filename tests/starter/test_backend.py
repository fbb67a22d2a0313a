"""The product's commands on the real server: who may, what is promised, what is recorded."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import Code, Rejected
from domain.states import PauseState, Role
from domain.terms import Offer
from starter.backend import Backend
from starter.client import PauseClient
from starter.connect import connect
from systems.accounts.act_list import Wanted
from systems.sample import seed
from systems.wiring import open_systems
from tests.workflows.stage import Stage, eventually

TERMS = Offer().version
NOBODY = "USR" + 32 * "0"


@pytest.fixture
def backend(stage: Stage) -> Backend:
    return Backend(stage.systems, stage.pauses, stage.offer)


@pytest.fixture
async def sample_backend(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Backend]:
    """The sample accounts, and no server."""
    systems = open_systems(sqlite_url, f"sqlite:///{tmp_path / 'gateway.db'}")
    seed(systems, datetime.now(UTC))
    client = await connect("127.0.0.1:1", lazy=True)
    yield Backend(systems, PauseClient(client, systems.accounts), Offer())
    systems.close()


async def test_what_the_preview_promises_is_what_the_pause_does(
    stage: Stage, backend: Backend
) -> None:
    promised = backend.preview(stage.account_id)

    async with stage.worker():
        skipping = Backend(stage.systems, stage.skipping_pauses, stage.offer)
        started = await skipping.pause(stage.account_id, stage.administrator, terms_version=TERMS)
        ended = await stage.handle().result()

    act = stage.systems.accounts.act(started.pause_id)
    quote = stage.systems.billing.quote(stage.account_id)
    assert act is not None
    assert act.timeline is not None
    assert promised.timeline.fees == act.timeline.fees
    assert promised.timeline.reminders == act.timeline.reminders
    assert promised.timeline.first_billing_on == act.timeline.first_billing_on
    assert promised.timeline.resume_at == ended.ended_at
    assert promised.retained_numbers == ended.retained_numbers
    # The plan's next invoice, with its share of the days that the last fee had taken.
    assert promised.plan_amount_minor == quote.amount_minor
    assert promised.plan_resumes_on == quote.next_billing_on


async def test_while_paused_the_preview_shows_the_pause_and_what_a_resume_would_cost(
    stage: Stage, backend: Backend
) -> None:
    async with stage.worker():
        status = await backend.pause(stage.account_id, stage.administrator, terms_version=TERMS)
        preview = backend.preview(stage.account_id)
        resumed = await backend.resume(stage.account_id, stage.administrator)

    assert status.pause_id == preview.pause_id
    assert preview.refusal is not None
    assert preview.refusal.code == Code.ACCOUNT_ALREADY_PAUSED
    assert [charge.billing_on for charge in status.charges] == [
        fee.billing_on for fee in preview.timeline.fees
    ]
    assert preview.resume_lines == ()
    assert resumed.state is PauseState.RESUMED


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Northgate Movers", Code.TOO_MANY_TRACKING_NUMBERS),
        ("Corner Bakery", Code.PAYMENT_METHOD_REQUIRED),
        ("Old Mill Motors", Code.ACCOUNT_CLOSED),
        ("Brightside Dental Group", None),
    ],
)
async def test_the_preview_says_why_an_account_may_not_pause(
    sample_backend: Backend, name: str, code: Code | None
) -> None:
    refusal = sample_backend.preview(_account_called(sample_backend, name)).refusal

    assert code == (refusal.code if refusal else None)


async def test_the_preview_refuses_a_resume_date_of_today(sample_backend: Backend) -> None:
    account_id = _account_called(sample_backend, "Brightside Dental Group")
    now = datetime.now(UTC)

    preview = sample_backend.preview(account_id, now, resume_on=(now - timedelta(days=2)).date())

    assert preview.refusal is not None
    assert preview.refusal.code == Code.INVALID_RESUME_DATE


Act = Callable[[Backend, str, str], Awaitable[object]]


async def _disable(backend: Backend, account_id: str, user_id: str) -> object:
    return backend.disable_tracker(account_id, user_id, "TRK" + 32 * "0")


ACTS: dict[str, Act] = {
    "pause": lambda b, a, u: b.pause(a, u, terms_version=TERMS, reason="mine"),
    "resume": lambda b, a, u: b.resume(a, u),
    "change_resume_date": lambda b, a, u: b.change_resume_date(a, u, None),
    "close": lambda b, a, u: b.close(a, u, "CLOSE"),
    "change_card": lambda b, a, u: b.change_card(a, u, "mastercard"),
    "disable_tracker": _disable,
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
async def test_only_an_administrator_of_the_account_may_act(
    sample_backend: Backend, act: Act
) -> None:
    accounts = sample_backend.systems.accounts
    account_id = _account_called(sample_backend, "Brightside Dental Group")
    stranger = accounts.users(_account_called(sample_backend, "Corner Bakery"))[0].user_id
    managers = [u.user_id for u in accounts.users(account_id) if u.role is not Role.ADMIN]
    audit_before = accounts.audit(account_id)

    for user_id in (NOBODY, stranger, *managers):
        with pytest.raises(Rejected) as refused:
            await act(sample_backend, account_id, user_id)
        assert refused.value.code is Code.NOT_AN_ADMINISTRATOR

    assert managers
    assert audit_before == accounts.audit(account_id)


async def test_the_terms_on_offer_must_have_been_accepted(stage: Stage, backend: Backend) -> None:
    for version in (None, "1999-01"):
        with pytest.raises(Rejected) as refused:
            await backend.pause(stage.account_id, stage.administrator, terms_version=version)
        assert refused.value.code is Code.TERMS_NOT_ACCEPTED
        assert {"terms_version": TERMS} == refused.value.figures

    assert stage.systems.accounts.acts(stage.account_id) == []


async def test_a_reason_is_kept_in_the_audit_and_never_reaches_temporal(
    stage: Stage, backend: Backend
) -> None:
    reason = "the dentist is on holiday"

    async with stage.worker():
        status = await backend.pause(
            stage.account_id, stage.administrator, terms_version=TERMS, reason=reason
        )
        repeated = await backend.pause(
            stage.account_id,
            stage.administrator,
            terms_version=TERMS,
            reason=reason,
            pause_id=status.pause_id,
        )
        history = await stage.handle().fetch_history()

    audit = stage.systems.accounts.audit(stage.account_id)
    assert status.pause_id == repeated.pause_id
    assert [(reason, status.pause_id, stage.administrator)] == [
        (entry.reason, entry.act_id, entry.actor) for entry in audit if entry.reason
    ]
    assert "holiday" not in history.to_json()


async def test_commands_count_by_the_pauses_clock_when_it_is_ahead(
    stage: Stage, backend: Backend
) -> None:
    async with stage.worker():
        status = await backend.pause(stage.account_id, stage.administrator, terms_version=TERMS)
        ahead = timedelta(days=10)
        await stage.move_to(stage.handle(), datetime.now(UTC) + ahead)
        stage.systems.accounts.set_clock_ahead(status.pause_id, int(ahead.total_seconds()))
        resumed = await backend.resume(stage.account_id, stage.administrator)

    assert resumed.ended_at is not None
    assert status.paused_at is not None
    assert ahead <= resumed.ended_at - status.paused_at < ahead + timedelta(minutes=5)


async def test_a_declined_fee_is_listed_and_paid_by_another_card(
    stage: Stage, backend: Backend
) -> None:
    await backend.change_card(stage.account_id, stage.administrator, "declined")
    async with stage.worker():
        status = await backend.pause(stage.account_id, stage.administrator, terms_version=TERMS)
        await stage.move_to(stage.handle(), status.charges[0].due_at + timedelta(hours=1))
        await eventually(lambda: _listed(backend, stage.account_id))
        recorded = backend.record(stage.account_id)
        await backend.change_card(stage.account_id, stage.administrator, "visa")
        await eventually(lambda: _is_not_listed(backend, stage.account_id))

    assert recorded.past_due
    assert [500] == stage.paid()


async def test_the_record_answers_while_no_worker_does(stage: Stage, backend: Backend) -> None:
    async with stage.worker():
        status = await backend.pause(stage.account_id, stage.administrator, terms_version=TERMS)

    recorded = backend.record(stage.account_id)

    assert recorded.state is PauseState.PAUSED
    assert status.charges == recorded.charges
    assert status.resume_at == recorded.resume_at


async def test_a_closed_account_is_reopened_after_the_price_was_shown(
    stage: Stage, backend: Backend
) -> None:
    account_id, administrator = stage.account_id, stage.administrator
    async with stage.worker():
        await backend.close(account_id, administrator, "CLOSE")

        with pytest.raises(Rejected) as price:
            await backend.change_card(account_id, administrator, "visa")
        changed = await backend.change_card(account_id, administrator, "visa", reopen=True)
        paused = await backend.pause(account_id, administrator, terms_version=TERMS)

    assert price.value.code is Code.ACCOUNT_CLOSED
    assert changed.reopened is not None
    assert price.value.figures["amount_minor"] == changed.reopened.amount_minor
    assert (PauseState.PAUSED, 0) == (paused.state, paused.retained_numbers)


async def test_trackers_stay_as_they_are_while_the_account_is_paused(
    stage: Stage, backend: Backend
) -> None:
    tracker_id = stage.systems.numbers.trackers(stage.account_id)[0].tracker_id
    async with stage.worker():
        await backend.pause(stage.account_id, stage.administrator, terms_version=TERMS)

        with pytest.raises(Rejected) as refused:
            backend.disable_tracker(stage.account_id, stage.administrator, tracker_id)

    assert refused.value.code is Code.ACCOUNT_PAUSED


def _account_called(backend: Backend, name: str) -> str:
    accounts = backend.systems.accounts.accounts()
    return next(account.account_id for account in accounts if account.name == name)


async def _listed(backend: Backend, account_id: str) -> bool:
    listing = await backend.list_pauses(Wanted(past_due=True))
    return account_id in [each.account_id for each in listing.pauses]


async def _is_not_listed(backend: Backend, account_id: str) -> bool:
    return not await _listed(backend, account_id)
