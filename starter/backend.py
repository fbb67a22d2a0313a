"""What command line and pages call: one method per command, each act checked before it begins.

Acts go to Temporal through `PauseClient`; what people read comes from the systems. Free text, the
reason of a pause, goes to the audit and nowhere else (R17).
"""

from asyncio import to_thread
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import uuid4

from domain.errors import Code, Rejected
from domain.ids import Prefix, make_id
from domain.messages import ChargeStatus, Status
from domain.money import display
from domain.payments import CardPage
from domain.policy import Action, check_administrator
from domain.ports import PlanQuote
from domain.states import AccountStatus, ActKind, ChargeState
from domain.terms import Offer, Terms
from domain.timeline import Timeline
from starter.client import PauseClient
from starter.listing import Listing, SortedBy, list_acts
from starter.now import utc_now
from starter.preview import Preview, preview_of_open_act, preview_of_pause
from starter.runs import Run
from systems.accounts.act_list import Wanted
from systems.billing.cards import CardView
from systems.gateways.sandbox import SandboxGateway
from systems.gateways.sandbox import card as sandbox_card
from systems.numbers.trackers import TrackerView
from systems.wiring import Systems

EVERY_OPEN_ACT = Wanted()


@dataclass(frozen=True)
class CardChanged:
    """The card on file now; `reopened` is the plan's next invoice if that opened the account."""

    card: CardView
    reopened: PlanQuote | None = None


class Backend:
    """The product's commands."""

    def __init__(
        self,
        systems: Systems,
        pauses: PauseClient,
        offer: Offer,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`offer` is what an administrator is shown and accepts today (R2)."""
        self.systems = systems
        self.offer = offer
        self._pauses = pauses
        self._clock = clock

    def business_now(self, account_id: str, at: datetime | None = None) -> datetime:
        """The account's time: ahead of ours, or of `at`, as much as its last pause was moved."""
        return (at or self._clock()) + self.systems.accounts.clock_ahead(account_id)

    def preview(
        self, account_id: str, now: datetime | None = None, resume_on: date | None = None
    ) -> Preview:
        """What a pause at `now` would do; while one is open, what it does and a resume would cost.

        `now` defaults to the moment at which the act that is previewed would happen.

        Raises:
            Rejected: `account_not_found`.
        """
        act = self.systems.accounts.open_act(account_id)
        if act is not None and act.timeline is not None:
            at = now or self.business_now(account_id)
            return preview_of_open_act(self.systems, act, at)
        return preview_of_pause(
            self.systems, self.offer, account_id, now or self._clock(), resume_on
        )

    async def pause(
        self,
        account_id: str,
        requested_by: str,
        *,
        terms_version: str | None,
        resume_on: date | None = None,
        reason: str | None = None,
        pause_id: str | None = None,
    ) -> Status:
        """Pause the account; answers when the pause is in effect. See `PauseClient.pause`.

        `terms_version` names the terms that the administrator was shown and accepted.

        Raises:
            Rejected: also `terms_not_accepted`, unless they are the terms on offer.
        """
        pause_id = pause_id or make_id(Prefix.PAUSE, uuid4())
        await to_thread(
            self._prepare_pause, account_id, requested_by, pause_id, terms_version, reason
        )
        status = await self._pauses.pause(
            account_id,
            requested_by,
            resume_on=resume_on,
            terms_version=terms_version,
            pause_id=pause_id,
        )
        return await to_thread(self._completed, status)

    async def resume(
        self,
        account_id: str,
        requested_by: str,
        *,
        pause_id: str | None = None,
        asked_at: datetime | None = None,
    ) -> Status:
        """Resume the account. See `PauseClient.resume`.

        `asked_at` is when it was asked for first, by the host's clock: a repeat counts as of then.
        """
        status = await self._pauses.resume(
            account_id,
            requested_by,
            pause_id=pause_id,
            requested_at=await to_thread(self.business_now, account_id, asked_at),
        )
        return await to_thread(self._completed, status)

    async def change_resume_date(
        self,
        account_id: str,
        requested_by: str,
        resume_on: date | None,
        *,
        pause_id: str | None = None,
        expected_resume_on: date | None = None,
    ) -> Status:
        """Move the planned resume. See `PauseClient.change_resume_date`."""
        status = await self._pauses.change_resume_date(
            account_id,
            requested_by,
            resume_on,
            pause_id=pause_id,
            expected_resume_on=expected_resume_on,
        )
        return await to_thread(self._completed, status)

    async def close(
        self,
        account_id: str,
        requested_by: str,
        confirm: str,
        *,
        close_id: str | None = None,
        asked_at: datetime | None = None,
    ) -> Status:
        """Close the account for good. See `PauseClient.close`, and `resume` for `asked_at`."""
        status = await self._pauses.close(
            account_id,
            requested_by,
            confirm,
            requested_at=await to_thread(self.business_now, account_id, asked_at),
            close_id=close_id,
        )
        return await to_thread(self._completed, status)

    async def retry(self, account_id: str) -> int:
        """Let the steps and invoices that wait for an operator go on. See `PauseClient.retry`.

        Returns how many invoices were held.
        """
        held = self.systems.billing.release_holds(account_id)
        try:
            await self._pauses.retry(account_id)
        except Rejected:
            # An invoice of the plan, or of a pause that is over, is held without a run.
            if not held:
                raise
        return held

    async def status(self, account_id: str) -> Status:
        """Where the open pause or close stands, else how the last one ended."""
        return await to_thread(self._completed, await self._pauses.status(account_id))

    async def run(self, account_id: str, kind: ActKind) -> Run | None:
        """What Temporal knows of the account's latest pause or close. See `starter/runs.py`."""
        return await self._pauses.run(account_id, kind)

    def record(self, account_id: str, act_id: str | None = None) -> Status:
        """The same from the database alone: what is known while no worker answers.

        It does not say whether an operator is needed. `act_id` names another act than the last.

        Raises:
            Rejected: `account_not_found`, `pause_not_found` when there never was one.
        """
        accounts = self.systems.accounts
        accounts.account(account_id)
        act = accounts.act(act_id) if act_id else accounts.last_act(account_id)
        if act is None or act.account_id != account_id:
            raise Rejected(Code.PAUSE_NOT_FOUND, f"Account {account_id} was never paused.")
        status = self._completed(act.status())
        is_past_due = any(each.state is ChargeState.DECLINED for each in status.charges)
        return status.model_copy(update={"past_due": is_past_due and act.ended_at is None})

    async def list_pauses(
        self,
        wanted: Wanted = EVERY_OPEN_ACT,
        *,
        needs_operator: bool = False,
        sorted_by: SortedBy = SortedBy.BEGAN,
        limit: int | None = None,
        asks_temporal: bool = True,
    ) -> Listing:
        """The pauses and closes that are `wanted`; with `needs_operator` only those that wait.

        Who needs an operator only Temporal knows: nobody does unless it is asked.

        Raises:
            Transient: Temporal is away.
        """
        attention = await self._pauses.attention() if asks_temporal else {}
        if needs_operator:
            waiting = [each for each, why in attention.items() if why.needs_operator]
            wanted = replace(wanted, account_ids=waiting)
        return await to_thread(
            list_acts, self.systems.db, wanted, attention, self._clock(), sorted_by, limit
        )

    def enter_card(
        self, account_id: str, requested_by: str, return_url: str, *, reopen: bool = False
    ) -> CardPage:
        """Open a page of the gateway's on which a card can be entered for the account (R8).

        The worker puts the card on file once it was entered, and then does what `change_card` does.
        The browser is sent to `return_url` afterwards.

        Raises:
            Rejected: `account_closed` without `reopen`, as `change_card` does.
            Transient: the gateway did not answer.
        """
        self._check_administrator(account_id, requested_by)
        is_closed = self._check_reopening_is_meant(account_id, reopen)
        return self.systems.card_entries.open(
            account_id, requested_by, self._clock(), return_url, reopens=is_closed
        )

    async def change_card(
        self, account_id: str, requested_by: str, card_name: str, *, reopen: bool = False
    ) -> CardChanged:
        """Put the sandbox gateway's test card of that name on file (R8).

        A running pause tries every unpaid date on it at once. A closed account is reopened with it,
        on its plan from today, if `reopen` says that this is meant (R14).

        Raises:
            Rejected: `validation_failed` for no such card, and while money moves at Stripe;
                `account_closed` without `reopen`, with what the plan costs as `amount_minor` and
                `currency`.
        """
        self._check_administrator(account_id, requested_by)
        self._check_takes_test_cards(account_id)
        card, at = sandbox_card(card_name), self.business_now(account_id)
        is_closed = self._check_reopening_is_meant(account_id, reopen)
        on_file = self.systems.billing.replace_card(
            account_id,
            card.token,
            card.brand,
            card.last4,
            card.expires_month,
            card.expires_year,
            at,
        )
        self._audit(account_id, requested_by, "card_changed")
        if is_closed:
            reopened = self.systems.reopening.reopen(account_id, requested_by, at)
            return CardChanged(on_file, reopened)
        await self._pauses.payment_method_updated(account_id)
        return CardChanged(on_file)

    async def card_changed(self, account_id: str) -> None:
        """Let the account's pause try the card on file on what is unpaid, if there is a pause."""
        await self._pauses.payment_method_updated(account_id)

    def disable_tracker(self, account_id: str, requested_by: str, tracker_id: str) -> TrackerView:
        """Disable a tracker for good; its numbers go.

        Raises:
            Rejected: `account_paused`, `account_closed`, `validation_failed` for no such tracker.
        """
        self._check_administrator(account_id, requested_by)
        self.systems.access.check(account_id, Action.CHANGE_TRACKERS)
        return self.systems.numbers.disable_tracker(
            tracker_id, account_id, self.business_now(account_id), requested_by
        )

    # --- small things -----------------------------------------------------------------------------

    def _prepare_pause(
        self,
        account_id: str,
        requested_by: str,
        pause_id: str,
        terms_version: str | None,
        reason: str | None,
    ) -> None:
        self._check_administrator(account_id, requested_by)
        if self.systems.accounts.act(pause_id) is not None:
            return
        self._check_terms(account_id, terms_version)
        if reason:
            self._audit(account_id, requested_by, "pause_requested", pause_id, reason)

    def _check_administrator(self, account_id: str, user_id: str) -> None:
        self.systems.accounts.account(account_id)
        check_administrator(account_id, self.systems.accounts.role(account_id, user_id))

    def _check_terms(self, account_id: str, terms_version: str | None) -> None:
        if terms_version != self.offer.version:
            raise Rejected(
                Code.TERMS_NOT_ACCEPTED,
                f"Pausing account {account_id} needs the terms {self.offer.version} accepted.",
                terms_version=self.offer.version,
            )

    def _completed(self, status: Status) -> Status:
        """The status with charges and terms, which a short answer or an ended act leaves out."""
        act = self.systems.accounts.act(status.pause_id)
        if act is None:
            return status
        if status.charges:
            return status.model_copy(update={"terms": status.terms or act.terms})
        charges = self.systems.billing.charges(act.account_id, act.act_id)
        if act.timeline is not None and act.terms is not None and act.ended_at is None:
            charges += _scheduled(act.timeline, act.terms, {each.billing_on for each in charges})
        return status.model_copy(update={"charges": charges, "terms": act.terms})

    def _check_takes_test_cards(self, account_id: str) -> None:
        if not isinstance(self.systems.gateway, SandboxGateway):
            raise Rejected(
                Code.VALIDATION_FAILED,
                f"Account {account_id}: test cards are the sandbox's, and money moves at"
                f" {self.systems.gateway.name} here; have the card entered on its page"
                " (`account-pause card ACCOUNT --enter`).",
            )

    def _check_reopening_is_meant(self, account_id: str, reopen: bool) -> bool:
        """Whether the account is closed, so that a card opens it again (R14)."""
        is_closed = self.systems.accounts.account(account_id).status is AccountStatus.CLOSED
        if is_closed and not reopen:
            raise self._price_first(account_id)
        return is_closed

    def _price_first(self, account_id: str) -> Rejected:
        quote = self.systems.billing.quote(account_id)
        return Rejected(
            Code.ACCOUNT_CLOSED,
            f"Account {account_id} is closed. A new card reopens it on its plan from today, next"
            f" invoice {display(quote.amount_minor, quote.currency)}; confirm that this is meant.",
            amount_minor=quote.amount_minor,
            currency=quote.currency,
        )

    def _audit(
        self,
        account_id: str,
        actor: str,
        what: str,
        act_id: str | None = None,
        reason: str | None = None,
    ) -> None:
        self.systems.accounts.record_request(
            act_id, account_id, actor, what, reason, self.business_now(account_id)
        )


def _scheduled(timeline: Timeline, terms: Terms, without: Collection[date]) -> list[ChargeStatus]:
    return [
        ChargeStatus(
            billing_on=fee.billing_on,
            due_at=fee.due_at,
            amount_minor=terms.fee_minor,
            currency=terms.currency,
            state=ChargeState.SCHEDULED,
        )
        for fee in timeline.fees
        if fee.billing_on not in without
    ]
