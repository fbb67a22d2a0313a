"""Steps on the accounts system: what is checked, recorded and announced as a pause goes on."""

from activities.failures import step
from domain.calendar import local_date
from domain.errors import Code, InvariantViolated, Rejected
from domain.messages import (
    BeginEnd,
    BeginPause,
    ChangeResumeDate,
    MarkPaused,
    MarkRefused,
    PauseBegun,
    Paused,
    Resumed,
    SendReminder,
    Step,
)
from domain.names import Activity
from domain.policy import (
    PauseFacts,
    check_administrator,
    check_may_pause,
    check_resume_on,
)
from domain.ports import Accounts, Act, Billing, Dni, Numbers, Snapshot
from domain.snapshot import count_differences
from domain.states import ActKind, PauseState
from domain.terms import Offer, Terms
from domain.timeline import latest_resume_on, plan_timeline


class AccountActivities:
    """Changes accounts only; reads the other systems where a rule or the snapshot needs them."""

    def __init__(
        self, accounts: Accounts, numbers: Numbers, dni: Dni, billing: Billing, offer: Offer
    ) -> None:
        """`offer` is what the company offers today: pinned by each pause as it begins (R18)."""
        self._accounts = accounts
        self._numbers = numbers
        self._dni = dni
        self._billing = billing
        self._offer = offer

    @step(Activity.BEGIN_PAUSE)
    def begin_pause(self, request: BeginPause) -> PauseBegun:
        """Check every rule before anything is touched, then open the pause with its terms (R1, R2).

        A pause that was begun before comes back as it stands, and one that has ended with its end.
        """
        known = self._accounts.act(request.act_id)
        if known is not None:
            return _begun(_checked_own(known, request))
        account = self._accounts.account(request.account_id)
        self._check_administrator(request.account_id, request.requested_by)
        active = self._numbers.count_active(request.account_id)
        facts = PauseFacts(
            account_id=request.account_id,
            status=account.status,
            has_open_act=self._has_another_act(request),
            has_card=self._billing.has_card(request.account_id),
            active_numbers=active,
        )
        check_may_pause(facts, self._offer)
        billing_day = self._billing.quote(request.account_id).billing_day
        terms = self._offer.for_account(account.time_zone, billing_day)
        _check_chosen_date(request, terms)
        act = self._accounts.begin_pause(request, terms, active)
        return _begun(act)

    @step(Activity.MARK_PAUSED)
    def mark_paused(self, request: MarkPaused) -> Paused:
        """The effects stand: compute the timeline, take the snapshot, tell the administrators.

        Repeated, it answers with the timeline that was kept the first time.
        """
        act = self._act(request.act_id)
        if act.timeline is None:
            terms = _terms(act)
            timeline = plan_timeline(terms, request.at, request.first_billing_on, request.resume_on)
            retained = self._numbers.count_active(request.account_id)
            snapshot = self._snapshot(request.account_id)
            self._accounts.mark_paused(request, timeline, retained, snapshot)
            act = self._act(request.act_id)
        if act.timeline is None:
            raise InvariantViolated(f"pause {request.act_id} is in effect without a timeline")
        return Paused(timeline=act.timeline, retained_numbers=act.retained_numbers)

    @step(Activity.MARK_REFUSED)
    def mark_refused(self, request: MarkRefused) -> None:
        """Nothing of the pause stands any more."""
        self._accounts.mark_refused(request)

    @step(Activity.CHANGE_RESUME_DATE)
    def change_resume_date(self, request: ChangeResumeDate) -> Paused:
        """Plan the pause anew towards another resume date (R11)."""
        self._check_administrator(request.account_id, request.requested_by)
        act = self._act(request.act_id)
        if act.timeline is None:
            raise Rejected(Code.ACCOUNT_NOT_PAUSED, f"Account {request.account_id} is not paused.")
        terms, current = _terms(act), act.timeline
        if request.resume_on is not None:
            today = local_date(request.at, terms.time_zone)
            check_resume_on(request.resume_on, today, current.latest_resume_on)
        timeline = plan_timeline(
            terms, current.paused_at, current.first_billing_on, request.resume_on
        )
        self._accounts.change_resume_date(request, timeline)
        return Paused(timeline=timeline, retained_numbers=act.retained_numbers)

    @step(Activity.SEND_REMINDER)
    def send_reminder(self, request: SendReminder) -> None:
        """Queue the reminder with what the plan will cost and which card pays (R12)."""
        self._accounts.remind(request, self._billing.quote(request.account_id))

    @step(Activity.BEGIN_RESUME)
    def begin_resume(self, request: BeginEnd) -> None:
        """Check who asks, then record that the account is coming back (R1)."""
        self._check_end(request, "resume")
        self._accounts.begin_resume(request)

    @step(Activity.MARK_RESUMED)
    def mark_resumed(self, request: Step) -> Resumed:
        """Compare the account with its snapshot, then say that it is back (R9)."""
        before = self._accounts.snapshot_of(request.act_id)
        differences = 0
        if before is not None:
            differences = count_differences(before, self._snapshot(request.account_id))
        quote = self._billing.quote(request.account_id)
        self._accounts.mark_resumed(request, differences, quote)
        return Resumed(differences=differences)

    @step(Activity.BEGIN_CLOSE)
    def begin_close(self, request: BeginEnd) -> None:
        """Check who asks, then record that the account is closed for good (R14).

        A close that has begun is finished, whoever is an administrator by now.
        """
        known = self._accounts.act(request.act_id)
        if known is None or known.state is not PauseState.CLOSING:
            self._check_end(request, "close")
        self._accounts.begin_close(request)

    @step(Activity.MARK_CLOSED)
    def mark_closed(self, request: Step) -> None:
        """Everything is released: the account is closed, its history stays."""
        self._accounts.mark_closed(request)

    def _has_another_act(self, request: BeginPause) -> bool:
        # An attempt of this very step that was given up may have opened the pause just now.
        act = self._accounts.open_act(request.account_id)
        return act is not None and act.act_id != request.act_id

    def _check_administrator(self, account_id: str, user_id: str) -> None:
        check_administrator(account_id, self._accounts.role(account_id, user_id))

    def _check_end(self, request: BeginEnd, what: str) -> None:
        if request.requested_by is None:
            return
        try:
            self._check_administrator(request.account_id, request.requested_by)
        except Rejected:
            self._accounts.note(
                request.act_id,
                request.account_id,
                request.requested_by,
                f"{what}_ignored_not_an_administrator",
                request.at,
            )
            raise

    def _act(self, act_id: str) -> Act:
        act = self._accounts.act(act_id)
        if act is None:
            raise InvariantViolated(f"pause {act_id} is running and was never begun")
        return act

    def _snapshot(self, account_id: str) -> Snapshot:
        return {
            "numbers": dict(self._numbers.snapshot(account_id)),
            "dni": dict(self._dni.snapshot(account_id)),
            "billing": dict(self._billing.snapshot(account_id)),
        }


def _begun(act: Act) -> PauseBegun:
    return PauseBegun(
        terms=_terms(act),
        retained_numbers=act.retained_numbers,
        timeline=act.timeline,
        ends_as=act.state if act.ends_at else None,
        ends_at=act.ends_at,
        ended=act.status() if act.state.is_final else None,
    )


def _checked_own(act: Act, request: BeginPause) -> Act:
    if act.account_id != request.account_id or act.kind is not ActKind.PAUSE:
        raise Rejected(
            Code.PAUSE_NOT_FOUND, f"Account {request.account_id} has no pause {request.act_id}."
        )
    return act


def _terms(act: Act) -> Terms:
    if act.terms is None:
        raise InvariantViolated(f"act {act.act_id} has no terms: it is not a pause")
    return act.terms


def _check_chosen_date(request: BeginPause, terms: Terms) -> None:
    if request.resume_on is not None:
        today = local_date(request.at, terms.time_zone)
        check_resume_on(request.resume_on, today, latest_resume_on(terms, request.at))
