"""The billing system on the database, behind the port `Billing`; its stories are told next door.

plan           whose each date is, and taking it      suspension   the pause's begin and end
fees           the fee of one date                    collecting   money moves at most once
settling       paid, declined, unknown                jobs         what billing does by itself
subscriptions  made, priced, begun again              cards        the card on file
ledger         what was booked, in double entry       reconciling  our record and the gateway's
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from sqlalchemy.orm import Session

from domain.messages import (
    ChargeStatus,
    CollectFee,
    FeeAnswer,
    PlanSuspended,
    Settled,
    Step,
    SuspendPlan,
)
from domain.money import CURRENCY
from domain.names import Activity
from domain.payments import EnteredCard, PaymentGateway
from domain.ports import PlanQuote, Snapshot
from systems.billing import cards, plan, subscriptions, suspension
from systems.billing.cards import CardView
from systems.billing.collecting import Collector
from systems.billing.fees import begin_fee
from systems.billing.invoices import InvoiceView, charge_statuses, invoice_views
from systems.billing.jobs import BillingJobs, release_holds
from systems.billing.ledger import LedgerEntry, entries
from systems.billing.plan import Line
from systems.billing.subscriptions import NewSubscription
from systems.db import Database, account_row, lock_account
from systems.effects import once


class SqlBilling:
    """The port `Billing`, and what pages, commands and the worker's jobs ask of billing."""

    def __init__(self, db: Database, gateway: PaymentGateway) -> None:
        """Keep everything in `db`; money moves at `gateway` only."""
        self._db = db
        self._gateway = gateway
        self._collector = Collector(db, gateway)
        self._jobs = BillingJobs(db, self._collector)

    # --- the port --------------------------------------------------------------------------------

    def has_card(self, account_id: str) -> bool:
        """See `Billing.has_card`. A card of another gateway is none: nothing here can charge it."""
        with self._db.transaction() as session:
            return cards.has_card(session, account_id, self._gateway.name)

    def quote(self, account_id: str) -> PlanQuote:
        """See `Billing.quote`.

        Raises:
            Rejected: `account_not_found`.
        """
        with self._of(account_id) as session:
            return subscriptions.quote(session, account_id)

    def suspend_plan(self, step: SuspendPlan) -> PlanSuspended:
        """See `Billing.suspend_plan`."""
        with self._locked(step.account_id) as session:
            next_billing_on = plan.subscription_of(session, step.account_id).next_billing_on
            return once(
                session,
                Activity.SUSPEND_PLAN,
                step,
                PlanSuspended,
                lambda: suspension.suspend(session, step),
                undone_by=Activity.RESTORE_PLAN,
                otherwise=PlanSuspended(first_billing_on=next_billing_on, paused_at=step.at),
            )

    def restore_plan(self, step: Step) -> Settled:
        """See `Billing.restore_plan`."""
        with self._db.transaction() as session:
            return once(
                session,
                Activity.RESTORE_PLAN,
                step,
                Settled,
                lambda: suspension.restore(session, step),
            )

    def collect_fee(self, step: CollectFee) -> FeeAnswer:
        """See `Billing.collect_fee`.

        While an earlier attempt is unanswered, asking for the next one looks that one up.
        """
        return self._collector.collect(
            step.account_id, lambda session: begin_fee(session, step), step.at
        )

    def close_billing(self, step: Step) -> Settled:
        """See `Billing.close_billing`."""
        with self._db.transaction() as session:
            return once(
                session,
                Activity.CLOSE_BILLING,
                step,
                Settled,
                lambda: suspension.close(session, step),
            )

    def snapshot(self, account_id: str) -> Snapshot:
        """See `Billing.snapshot`.

        Raises:
            Rejected: `account_not_found`.
        """
        with self._of(account_id) as session:
            return plan.snapshot(session, account_id)

    # --- what pages and commands ask -------------------------------------------------------------

    def card(self, account_id: str) -> CardView | None:
        """The card on file, if there is one; its token stays inside."""
        with self._db.transaction() as session:
            return cards.card_view(session, account_id)

    def replace_card(
        self,
        account_id: str,
        token: str,
        brand: str,
        last4: str,
        expires_month: int,
        expires_year: int,
        at: datetime,
        customer_id: str | None = None,
    ) -> CardView:
        """Put the card on file that the gateway knows as `token`; answers with the card on file.

        Safe to repeat: the card on file stays, also when a newer one is there. Audited by the
        caller, who knows who it was.

        Raises:
            Rejected: `account_not_found`; `validation_failed`, also for anything like a card number
                in any field (R8).
        """
        card = EnteredCard(token, brand, last4, expires_month, expires_year, customer_id)
        with self._locked(account_id) as session:
            return cards.replace(session, account_id, self._gateway.name, card, at)

    def invoices(self, account_id: str) -> list[InvoiceView]:
        """All invoices of the account with lines and attempts, by billing date."""
        with self._db.transaction() as session:
            return invoice_views(session, account_id)

    def charges(self, account_id: str, act_id: str | None = None) -> list[ChargeStatus]:
        """The fees taken so far, by billing date: of the pause `act_id`, or of all pauses."""
        with self._db.transaction() as session:
            return charge_statuses(session, account_id, act_id)

    def next_lines(self, account_id: str) -> list[Line]:
        """The lines of the plan's next invoice, as far as they are known; they come to the quote.

        Raises:
            Rejected: `account_not_found`.
        """
        with self._of(account_id) as session:
            return subscriptions.next_lines(session, account_id)

    def resume_lines(self, account_id: str, at: datetime) -> list[Line]:
        """What a resume as of `at` would put on the plan's next invoice; empty unless paused (R9).

        A fee whose attempt is still running is not among them: it moves only if it is declined.

        Raises:
            Rejected: `account_not_found`.
        """
        with self._of(account_id) as session:
            return suspension.lines_at_resume(session, account_id, at)

    def create_subscription(
        self,
        account_id: str,
        plan: str,
        amount_minor: int,
        time_zone: str,
        billing_day: int,
        next_billing_on: date,
        add_ons: tuple[tuple[str, int], ...] = (),
        currency: str = CURRENCY,
    ) -> None:
        """Put a new account on its plan, with add-ons by name and price per month.

        An account that is on a plan stays as it is.

        Raises:
            Rejected: `account_not_found`; `validation_failed` for anything like a card number.
            InvariantViolated: `next_billing_on` is not a billing date, or an amount is below zero.
        """
        new = NewSubscription(
            plan, amount_minor, time_zone, billing_day, next_billing_on, add_ons, currency
        )
        with self._locked(account_id) as session:
            subscriptions.create(session, account_id, new)

    def reopen(self, account_id: str, at: datetime) -> PlanQuote:
        """Put a closed account on its plan again; the local date of `at` is its new anchor (R14).

        Safe to repeat. The first invoice falls due at 09:00 of that day, late if that is past.
        Returns what it comes to.

        Raises:
            Rejected: `account_not_found`, `payment_method_required`.
            Transient: the close is still under way.
        """
        with self._locked(account_id) as session:
            subscriptions.reopen(session, account_id, at)
            return subscriptions.quote(session, account_id)

    # --- what the worker runs --------------------------------------------------------------------

    def invoice_plans_due(self, now: datetime, limit: int) -> int:
        """Take every plan date due by `now`, then collect the plan's open invoices.

        An account that is suspended, closed or has an open act is passed over: its dates wait for
        whoever owns them. Looks after at most `limit` accounts and `limit` invoices, the longest
        due first; returns how many dates were taken. Safe to run side by side.
        """
        return self._jobs.invoice_plans_due(now, limit)

    def settle_unknown(self, now: datetime) -> int:
        """Look up what no run looks up: the plan's unknown invoices, the fees of ended pauses.

        A fee of an ended pause that was never tried is collected. Returns how many were settled;
        the others stay unknown until somebody knows (M7).
        """
        return self._jobs.settle_unknown(now)

    def look_up(self, account_id: str, invoice_id: str, now: datetime) -> FeeAnswer:
        """Ask the gateway now what became of the invoice's unanswered attempt, and settle that.

        The same attempt goes on, whoever else does; without one the answer on record is given.

        Raises:
            Throttled: the gateway takes no more requests for now; call again in a while.
            Transient: the database did not answer; call again.
            InvariantViolated: the gateway's payment is not what was ordered.
        """
        return self._jobs.look_up(account_id, invoice_id, now)

    def release_holds(self, account_id: str) -> int:
        """An operator has looked: invoices that were held are collected again.

        Returns how many were held; one that still contradicts its order is held again.
        """
        with self._locked(account_id) as session:
            return release_holds(session, account_id)

    def ledger(self, account_id: str) -> list[LedgerEntry]:
        """The account's ledger transactions, in the order in which they were booked."""
        with self._db.transaction() as session:
            return entries(session, account_id)

    @contextmanager
    def _locked(self, account_id: str) -> Iterator[Session]:
        with self._db.transaction() as session:
            lock_account(session, account_id)
            yield session

    @contextmanager
    def _of(self, account_id: str) -> Iterator[Session]:
        with self._db.transaction() as session:
            account_row(session, account_id)
            yield session
