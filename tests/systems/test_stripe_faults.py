"""What goes wrong on the way to Stripe: nothing is known then; a look-up tells what was done."""

import logging
from collections.abc import Callable
from datetime import timedelta
from traceback import format_exception

import pytest
import stripe

from domain.errors import InvariantViolated, PauseError, Throttled, Transient
from domain.payments import Gateway, KeyRefused, Payment, PaymentState
from domain.stripe_access import StripeAccess
from systems.db import LOCK_WAIT_SECONDS, POOL_WAIT_SECONDS
from systems.gateways.stripe import StripeGateway
from systems.gateways.stripe.client import CONNECT_SECONDS, READ_SECONDS
from tests.fakes.gateway import Method
from tests.standin.control import Standin
from tests.standin.faults import OTHER_CUSTOMER, Kind
from tests.standin.world import LIVE_KEY, TEST_KEY
from tests.systems.tills import OPERATIONS, RETURN_URL, StripeTill, paid
from workflows.options import COLLECT

KEY = "PAU1:2026-01-15:1"
REFUND_KEY = "pay_1:refund:1"
DAY = timedelta(days=1)
# For answers that never come, or come too late.
PATIENCE = (0.3, 0.3)
TOO_LATE_SECONDS = 0.6
LATE = {Kind.HANG, Kind.HANG_AFTER, Kind.SLOW}

NOTHING_DONE = [
    Kind.REFUSE,
    Kind.RESET_BEFORE,
    Kind.HANG,
    Kind.ERROR_500_BEFORE,
    Kind.CONFLICT_409,
    Kind.RATE_LIMITED_429,
]
DONE = [
    Kind.RESET_AFTER,
    Kind.SLOW,
    Kind.HANG_AFTER,
    Kind.ERROR_500_AFTER,
    Kind.TRUNCATED_JSON,
    Kind.CUT_OFF,
    Kind.NOT_JSON,
]
UNCLEAR = [*NOTHING_DONE, *DONE]


@pytest.fixture
def till(standin: Standin) -> StripeTill:
    return StripeTill(standin)


def faulty(till: StripeTill, kind: Kind, method: Method) -> StripeGateway:
    """A gateway whose next call of the method meets the fault, with little patience if need be."""
    is_late = kind in LATE
    till.standin.fault(kind, OPERATIONS[method], seconds=TOO_LATE_SECONDS if is_late else 0)
    return impatient(till) if is_late else till.gateway


def impatient(till: StripeTill) -> StripeGateway:
    return StripeGateway(StripeAccess(TEST_KEY, till.standin.url), PATIENCE)


# Whatever may be asked of a gateway; each but the lists needs no more than an id.
ASKED: dict[Method, Callable[[Gateway, StripeTill], object]] = {
    "create_payment": lambda gateway, till: gateway.create_payment(KEY, till.order()),
    "find_payment": lambda gateway, till: gateway.find_payment(KEY, till.order()),
    "confirm_payment": lambda gateway, till: gateway.confirm_payment("pi_1"),
    "get_payment": lambda gateway, till: gateway.get_payment("pi_1"),
    "refund_payment": lambda gateway, till: gateway.refund_payment(REFUND_KEY, "pi_1", 1),
    "find_refund": lambda gateway, till: gateway.find_refund(REFUND_KEY, "pi_1"),
    "get_refund": lambda gateway, till: gateway.get_refund("re_1"),
    "payments_between": lambda gateway, till: list(
        gateway.payments_between(till.now() - DAY, till.now())
    ),
    "refunds_between": lambda gateway, till: list(
        gateway.refunds_between(till.now() - DAY, till.now())
    ),
    "open_page": lambda gateway, till: gateway.open_page("page", "ACC1", "cus_1", RETURN_URL),
    "look_up_page": lambda gateway, till: gateway.look_up_page("cs_1"),
}


def test_the_suite_knows_every_method_of_the_port() -> None:
    promised = {name for part in Gateway.__mro__ for name in vars(part) if not name.startswith("_")}
    # `check` is asked by whoever starts; it has tests of its own below.
    assert {*ASKED, "name", "check"} == promised
    assert ASKED.keys() == OPERATIONS.keys()
    assert {*UNCLEAR} == {*Kind} - {
        Kind.WRONG_AMOUNT,
        Kind.WRONG_CURRENCY,
        Kind.OTHER_CUSTOMER,
        Kind.UNKNOWN_STATUS,
        Kind.FORGETS,
    }


# --- no clear answer -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", UNCLEAR)
def test_whether_a_payment_was_prepared_is_found_by_its_key(till: StripeTill, kind: Kind) -> None:
    order = till.order()
    gateway = faulty(till, kind, "create_payment")

    with pytest.raises(Transient, match=KEY):
        gateway.create_payment(KEY, order)

    found = till.gateway.find_payment(KEY, order)
    assert (kind in DONE) is (found is not None)


@pytest.mark.parametrize("method", ASKED)
def test_being_asked_too_often_is_known_from_having_no_answer(
    till: StripeTill, method: Method
) -> None:
    with pytest.raises(Throttled):
        ASKED[method](faulty(till, Kind.RATE_LIMITED_429, method), till)
    with pytest.raises(Transient) as unclear:
        ASKED[method](faulty(till, Kind.CONFLICT_409, method), till)

    assert not isinstance(unclear.value, Throttled)


@pytest.mark.parametrize("kind", UNCLEAR)
def test_whether_a_payment_was_charged_can_be_looked_up(till: StripeTill, kind: Kind) -> None:
    payment_id = till.gateway.create_payment(KEY, till.order()).payment_id
    gateway = faulty(till, kind, "confirm_payment")

    with pytest.raises(Transient, match=payment_id):
        gateway.confirm_payment(payment_id)

    expected = PaymentState.SUCCEEDED if kind in DONE else PaymentState.CREATED
    assert expected is till.gateway.get_payment(payment_id).state


@pytest.mark.parametrize("kind", UNCLEAR)
def test_whether_a_payment_was_given_back_is_found_by_its_key(till: StripeTill, kind: Kind) -> None:
    payment_id = paid(till, KEY).payment_id
    gateway = faulty(till, kind, "refund_payment")

    with pytest.raises(Transient, match=payment_id):
        gateway.refund_payment(REFUND_KEY, payment_id, 500)

    found = till.gateway.find_refund(REFUND_KEY, payment_id)
    assert (kind in DONE) is (found is not None)


@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.ERROR_500_BEFORE, Kind.CONFLICT_409])
@pytest.mark.parametrize("method", ASKED)
def test_whatever_is_asked_has_no_answer_then(till: StripeTill, method: Method, kind: Kind) -> None:
    gateway = faulty(till, kind, method)

    with pytest.raises(Transient):
        ASKED[method](gateway, till)


@pytest.mark.parametrize("method", ["find_payment", "payments_between", "look_up_page"])
@pytest.mark.parametrize("kind", [Kind.TRUNCATED_JSON, Kind.CUT_OFF, Kind.NOT_JSON])
def test_a_look_up_whose_answer_cannot_be_read_has_no_answer(
    till: StripeTill, method: Method, kind: Kind
) -> None:
    gateway = faulty(till, kind, method)

    with pytest.raises(Transient):
        ASKED[method](gateway, till)


def test_a_stripe_that_is_away_has_no_answer_until_it_is_back(till: StripeTill) -> None:
    order = till.order()
    till.standin.away()
    with pytest.raises(Transient):
        till.gateway.create_payment(KEY, order)

    till.standin.back()

    assert PaymentState.CREATED is till.gateway.create_payment(KEY, order).state


def test_a_list_that_breaks_off_says_so(till: StripeTill) -> None:
    till.standin.seed_payment_intents({"amount": 500, "currency": "usd"} for _ in range(150))
    till.standin.fault(Kind.RESET_AFTER, "list_payment_intents", skip=1)

    listed = till.gateway.payments_between(till.now() - DAY, till.now() + DAY)

    assert 100 == len([next(listed) for _ in range(100)])
    with pytest.raises(Transient):
        next(listed)


def test_a_failure_that_stripe_keeps_for_a_day_is_over_after_it(till: StripeTill) -> None:
    payment_id = till.gateway.create_payment(KEY, till.order()).payment_id
    faulty(till, Kind.ERROR_500_BEFORE, "confirm_payment")
    for _ in range(2):
        with pytest.raises(Transient):
            till.gateway.confirm_payment(payment_id)

    till.advance(DAY)

    assert PaymentState.SUCCEEDED is till.gateway.confirm_payment(payment_id).state


def test_three_calls_and_three_transactions_fit_into_the_time_of_the_step() -> None:
    calls = 3 * (CONNECT_SECONDS + READ_SECONDS)
    transactions = 3 * (LOCK_WAIT_SECONDS + POOL_WAIT_SECONDS)

    assert calls + transactions < COLLECT["start_to_close_timeout"].total_seconds()


def test_control_without_a_key_a_lost_answer_makes_two_payments(till: StripeTill) -> None:
    order, client = till.order(), till.standin.client()
    till.lose_the_answer("create_payment")
    for _ in range(2):
        try:
            client.v1.payment_intents.create({"amount": order.amount_minor, "currency": "usd"})
        except stripe.APIConnectionError:
            continue

    assert 2 == len(till.payment_ids()), "this suite must be able to see a second payment"


# --- a clear answer that cannot be ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (Kind.WRONG_AMOUNT, {"amount_minor": 501}),
        (Kind.WRONG_CURRENCY, {"currency": "EUR"}),
        (Kind.OTHER_CUSTOMER, {"customer_id": OTHER_CUSTOMER}),
        (Kind.UNKNOWN_STATUS, {"state": PaymentState.PROCESSING}),
    ],
)
@pytest.mark.parametrize("method", ["create_payment", "confirm_payment"])
def test_what_stripe_shows_is_told_as_it_is(
    till: StripeTill, method: Method, kind: Kind, shown: dict[str, object]
) -> None:
    payment_id = till.gateway.create_payment("another", till.order()).payment_id
    gateway = faulty(till, kind, method)

    payment = (
        gateway.create_payment(KEY, till.order())
        if method == "create_payment"
        else gateway.confirm_payment(payment_id)
    )

    assert shown == {name: getattr(payment, name) for name in shown}


def test_a_payment_that_stripe_has_forgotten_is_a_mistake_of_somebody_s(till: StripeTill) -> None:
    payment_id = till.gateway.create_payment(KEY, till.order()).payment_id
    till.standin.fault(Kind.FORGETS, "retrieve_payment_intent")

    with pytest.raises(InvariantViolated, match=payment_id):
        till.gateway.get_payment(payment_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": None},
        {"amount": "500"},
        {"amount": None},
        {"currency": 840},
        {"created": "today"},
        {"metadata": "none"},
        {"customer": 7},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_answer_of_another_shape_is_no_answer(
    till: StripeTill, changes: dict[str, object]
) -> None:
    payment_id = till.gateway.create_payment(KEY, till.order()).payment_id
    till.standin.edit(payment_id, **changes)

    with pytest.raises(Transient, match=payment_id):
        till.gateway.get_payment(payment_id)


# --- the key -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ASKED)
def test_with_a_key_that_stripe_refuses_nothing_is_known_and_an_operator_is_told(
    till: StripeTill, method: Method, caplog: pytest.LogCaptureFixture
) -> None:
    till.order()
    till.standin.revoke_key(TEST_KEY)

    with pytest.raises(Transient, match="check STRIPE_API_KEY") as failure:
        ASKED[method](till.gateway, till)

    assert [logging.ERROR] == [record.levelno for record in caplog.records]
    assert TEST_KEY not in told(failure.value) + caplog.text


def test_a_start_with_a_good_key_goes_on(till: StripeTill) -> None:
    till.gateway.check()


def test_a_start_with_a_key_that_stripe_refuses_does_not(till: StripeTill) -> None:
    till.standin.revoke_key(TEST_KEY)

    with pytest.raises(KeyRefused, match="STRIPE_API_KEY") as failure:
        till.gateway.check()

    assert TEST_KEY not in told(failure.value)


@pytest.mark.parametrize("kind", UNCLEAR)
def test_a_start_does_not_wait_for_a_stripe_that_does_not_answer(
    till: StripeTill, kind: Kind
) -> None:
    faulty(till, kind, "payments_between").check()


def test_what_was_made_with_the_other_mode_s_key_is_unknown(till: StripeTill) -> None:
    payment_id = till.gateway.create_payment(KEY, till.order()).payment_id
    live = StripeGateway(StripeAccess(LIVE_KEY, till.standin.url))

    assert ("stripe-test", "stripe-live") == (till.gateway.name, live.name)
    with pytest.raises(InvariantViolated, match=payment_id):
        live.get_payment(payment_id)


def test_an_object_of_the_other_mode_is_not_believed(till: StripeTill) -> None:
    payment_id = paid(till, KEY).payment_id
    page_id = till.gateway.open_page("page", "ACC1", None, RETURN_URL).page_id
    till.standin.edit(payment_id, livemode=True)
    till.standin.edit(page_id, livemode=True)

    with pytest.raises(InvariantViolated, match=f"{payment_id} belongs to Stripe's live mode"):
        till.gateway.get_payment(payment_id)
    with pytest.raises(InvariantViolated, match=payment_id):
        list(till.gateway.payments_between(till.now() - DAY, till.now() + DAY))
    with pytest.raises(InvariantViolated, match=page_id):
        till.gateway.look_up_page(page_id)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("sk_live_1", "stripe-live"),
        ("rk_live_1", "stripe-live"),
        ("sk_test_1", "stripe-test"),
        ("rk_test_1", "stripe-test"),
    ],
)
def test_the_key_says_whose_record_it_is_and_nothing_is_sent_before_it_is_asked_for(
    till: StripeTill, key: str, name: str
) -> None:
    till.standin.away()

    assert name == StripeGateway(StripeAccess(key, till.standin.url)).name


# --- what is told --------------------------------------------------------------------------------


def test_errors_hold_codes_and_ids_and_none_of_stripe_s_words(till: StripeTill) -> None:
    too_little = till.order(amount_minor=1)

    with pytest.raises(InvariantViolated) as failure:
        till.gateway.create_payment(KEY, too_little)

    written = told(failure.value)
    assert "code amount_too_small, param amount, request req_" in written
    assert "at least" not in written


def test_control_stripe_s_own_error_would_have_told_them(till: StripeTill) -> None:
    with pytest.raises(stripe.InvalidRequestError) as failure:
        till.standin.client().v1.payment_intents.create({"amount": 1, "currency": "usd"})

    assert "at least" in told(failure.value)


def test_a_decline_has_none_of_stripe_s_words_either(till: StripeTill) -> None:
    payment = till.gateway.create_payment(KEY, till.order("lost_card"))

    declined: Payment = till.gateway.confirm_payment(payment.payment_id)

    assert "Your card" not in repr(declined)


def told(error: Exception) -> str:
    """All that a log or a history shows of it."""
    kinds = (PauseError, stripe.StripeError)
    assert isinstance(error, kinds)
    return "".join(format_exception(error))
