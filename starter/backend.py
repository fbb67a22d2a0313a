"""What command line and pages call: one method per command, each act checked before it begins.

Acts go to Temporal through `PauseClient`; what people read comes from the systems. Free text, the
reason of a pause, goes to the audit and nowhere else (R17).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import uuid4

from domain.errors import Code, Rejected
from domain.ids import Prefix, make_id
from domain.messages import ChargeStatus, Status
from domain.money import display
from domain.policy import Action, check_administrator
from domain.ports import PlanQuote
from domain.states import AccountStatus, ChargeState, PauseState
from domain.terms import Offer, Terms
from domain.timeline import Timeline
from starter.client import PauseClient
from starter.listing import CALM, ListedPause, listed
from starter.preview import Preview, preview_of_open_act, preview_of_pause
from systems.billing.cards import CardView
from systems.gateways.sandbox import card as sandbox_card
from systems.numbers.trackers import TrackerView
from systems.wiring import Systems


def utc_now() -> datetime:
    """The host's clock."""
    return datetime.now(UTC)


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
        self._pauses = pauses
        self._offer = offer
        self._clock = clock

    def business_now(self, account_id: str) -> datetime:
        """The account's time: ahead of ours by as much as its open or last pause was moved."""
        return self._clock() + self.systems.accounts.clock_ahead(account_id)

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
            self.systems, self._offer, account_id, now or self._clock(), resume_on
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
        self._check_administrator(account_id, requested_by)
        pause_id = pause_id or make_id(Prefix.PAUSE, uuid4())
        if self.systems.accounts.act(pause_id) is None:
            self._check_terms(account_id, terms_version)
            if reason:
                self._record(account_id, requested_by, "pause_requested", pause_id, reason)
        status = await self._pauses.pause(
            account_id,
            requested_by,
            resume_on=resume_on,
            terms_version=terms_version,
            pause_id=pause_id,
        )
        return self._completed(status)

    async def resume(
        self, account_id: str, requested_by: str, *, pause_id: str | None = None
    ) -> Status:
        """Resume the account. See `PauseClient.resume`."""
        status = await self._pauses.resume(
            account_id,
            requested_by,
            pause_id=pause_id,
            requested_at=self.business_now(account_id),
        )
        return self._completed(status)

    async def change_resume_date(
        self,
        account_id: str,
        requested_by: str,
        resume_on: date | None,
        *,
        pause_id: str | None = None,
    ) -> Status:
        """Move the planned resume. See `PauseClient.change_resume_date`."""
        status = await self._pauses.change_resume_date(
            account_id, requested_by, resume_on, pause_id=pause_id
        )
        return self._completed(status)

    async def close(self, account_id: str, requested_by: str, confirm: str) -> Status:
        """Close the account for good. See `PauseClient.close`."""
        status = await self._pauses.close(
            account_id, requested_by, confirm, requested_at=self.business_now(account_id)
        )
        return self._completed(status)

    async def retry(self, account_id: str) -> None:
        """Let the steps that wait for an operator go on. See `PauseClient.retry`."""
        await self._pauses.retry(account_id)

    async def status(self, account_id: str) -> Status:
        """Where the open pause or close stands, else how the last one ended."""
        return self._completed(await self._pauses.status(account_id))

    def record(self, account_id: str) -> Status:
        """The same from the database alone: what is known while no worker answers.

        It does not say whether an operator is needed.

        Raises:
            Rejected: `account_not_found`, `pause_not_found` when there never was one.
        """
        accounts = self.systems.accounts
        accounts.account(account_id)
        act = accounts.last_act(account_id)
        if act is None:
            raise Rejected(Code.PAUSE_NOT_FOUND, f"Account {account_id} was never paused.")
        status = self._completed(act.status())
        is_past_due = any(each.state is ChargeState.DECLINED for each in status.charges)
        return status.model_copy(update={"past_due": is_past_due and act.ended_at is None})

    async def list_pauses(
        self,
        states: Collection[PauseState] | None = None,
        *,
        needs_operator: bool = False,
        past_due: bool = False,
    ) -> list[ListedPause]:
        """Pauses and closes, the latest first: those that are open, or those in `states`.

        With `needs_operator` or `past_due` only the open ones that are.
        """
        accounts = self.systems.accounts
        names = {account.account_id: account.name for account in accounts.accounts()}
        attention = await self._pauses.attention()
        pauses = [
            listed(act, names[act.account_id], attention.get(act.account_id, CALM))
            for act in reversed(accounts.acts(states=states, open_only=states is None))
        ]
        return [
            each
            for each in pauses
            if (each.needs_operator or not needs_operator) and (each.past_due or not past_due)
        ]

    async def change_card(
        self, account_id: str, requested_by: str, card_name: str, *, reopen: bool = False
    ) -> CardChanged:
        """Put the sandbox gateway's test card of that name on file (R8).

        A running pause tries every unpaid date on it at once. A closed account is reopened with it,
        on its plan from today, if `reopen` says that this is meant (R14).

        Raises:
            Rejected: `validation_failed` for no such card; `account_closed` without `reopen`, with
                what the plan costs as `amount_minor` and `currency`.
        """
        self._check_administrator(account_id, requested_by)
        card, at = sandbox_card(card_name), self.business_now(account_id)
        is_closed = self.systems.accounts.account(account_id).status is AccountStatus.CLOSED
        if is_closed and not reopen:
            raise self._price_first(account_id)
        on_file = self.systems.billing.replace_card(
            account_id,
            card.token,
            card.brand,
            card.last4,
            card.expires_month,
            card.expires_year,
            at,
        )
        self._record(account_id, requested_by, "card_changed")
        if is_closed:
            return CardChanged(on_file, self._reopen(account_id, requested_by, at))
        await self._pauses.payment_method_updated(account_id)
        return CardChanged(on_file)

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

    def _check_administrator(self, account_id: str, user_id: str) -> None:
        self.systems.accounts.account(account_id)
        check_administrator(account_id, self.systems.accounts.role(account_id, user_id))

    def _check_terms(self, account_id: str, terms_version: str | None) -> None:
        if terms_version != self._offer.version:
            raise Rejected(
                Code.TERMS_NOT_ACCEPTED,
                f"Pausing account {account_id} needs the terms {self._offer.version} accepted.",
                terms_version=self._offer.version,
            )

    def _completed(self, status: Status) -> Status:
        """The status with charges and terms, which a short answer or an ended act leaves out."""
        act = self.systems.accounts.act(status.pause_id)
        if status.charges or act is None:
            return status
        charges = self.systems.billing.charges(act.account_id, act.act_id)
        if act.timeline is not None and act.terms is not None and act.ended_at is None:
            charges += _scheduled(act.timeline, act.terms, {each.billing_on for each in charges})
        return status.model_copy(update={"charges": charges, "terms": act.terms})

    def _price_first(self, account_id: str) -> Rejected:
        quote = self.systems.billing.quote(account_id)
        return Rejected(
            Code.ACCOUNT_CLOSED,
            f"Account {account_id} is closed. A new card reopens it on its plan from today, next"
            f" invoice {display(quote.amount_minor, quote.currency)}; confirm that this is meant.",
            amount_minor=quote.amount_minor,
            currency=quote.currency,
        )

    def _reopen(self, account_id: str, requested_by: str, at: datetime) -> PlanQuote:
        # The account's status comes last: until it is set, asking again does the rest.
        quote = self.systems.billing.reopen(account_id, at)
        self.systems.access.reopen(account_id, at)
        self.systems.accounts.reopen(account_id, requested_by, at)
        return quote

    def _record(
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
