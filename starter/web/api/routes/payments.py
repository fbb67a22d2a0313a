"""The payment method, and the invoices that it pays."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from domain.errors import Code
from domain.policy import Action
from starter.card_desk import CardDesk
from starter.web.api.answers import Answer
from starter.web.api.bodies import CardPageBody, PaymentMethodBody
from starter.web.api.documents import Card, CardPage, Invoice, InvoicePage, PaymentMethod
from starter.web.api.guard import AccountId, By
from starter.web.api.once import Call, IdempotencyKey
from starter.web.api.paging import Cursor, Key, Limit, next_page, page_of
from starter.web.api.routes.table import Table, link
from starter.web.api.services import Services
from starter.web.paths import CARD_ENTERED
from systems.billing.cards import CardView
from systems.billing.invoices import InvoiceView

METHOD = "/accounts/{account_id}/payment-method"


def payment_routes(api: Services) -> APIRouter:
    """`/accounts/{account_id}/payment-method` and `/invoices`."""
    payments, table = Payments(api), Table("Payment", api.guards)
    table.of_account(
        "GET", METHOD, payments.get_payment_method, Action.PAYMENT_METHOD, PaymentMethod
    )
    table.of_account(
        "POST",
        f"{METHOD}/page",
        payments.open_card_page,
        Action.PAYMENT_METHOD,
        CardPage,
        administrator=True,
        status=HTTPStatus.CREATED,
        codes=[Code.ACCOUNT_CLOSED],
        links=link("setPaymentMethod", body={"token": "$response.body#/token"}),
    )
    table.of_account(
        "PUT",
        METHOD,
        payments.set_payment_method,
        Action.PAYMENT_METHOD,
        PaymentMethod,
        administrator=True,
        codes=[Code.PAYMENT_METHOD_REQUIRED],
        links=link("getPaymentMethod"),
    )
    table.of_account(
        "GET",
        "/accounts/{account_id}/invoices",
        payments.list_invoices,
        Action.INVOICES,
        InvoicePage,
        links=next_page("listInvoices"),
    )
    return table.router


class Payments:
    """What the routes do."""

    def __init__(self, api: Services) -> None:
        """By the product's commands."""
        self._api = api
        self._desk = CardDesk(api.backend)

    def get_payment_method(self, account_id: AccountId) -> Response:
        """The card on file."""
        return _method(self._api.systems.billing.card(account_id)).response()

    async def open_card_page(
        self,
        request: Request,
        account_id: AccountId,
        by: By,
        body: CardPageBody | None = None,
        key: IdempotencyKey = None,
    ) -> Response:
        """Open a page of the payment gateway's on which a card can be entered.

        The card goes on file by itself once it was entered, and pays what is unpaid;
        `setPaymentMethod` does it at once. On a closed account it takes `reopen`; without it the
        answer is `account_closed`, with the price.
        """

        async def open_page(_: Call) -> Answer:
            page = await self._desk.open(
                account_id,
                by.user_id,
                f"{self._api.public_url}{CARD_ENTERED}",
                reopen=body is not None and body.reopen,
            )
            return Answer(CardPage.of(page, token=page.page_id), HTTPStatus.CREATED)

        return await self._api.once.answer(request, by, key, open_page)

    async def set_payment_method(self, account_id: AccountId, body: PaymentMethodBody) -> Response:
        """Put the card on file that was entered on the page with this token.

        The gateway is asked what was entered there, so nothing else can get on file. A pause tries
        every unpaid fee on it at once; a closed account is open again, if the page was for that.
        """
        return _method(await self._desk.take(account_id, body.token)).response()

    def list_invoices(
        self, account_id: AccountId, cursor: Cursor = None, limit: Limit = 50
    ) -> Response:
        """The account's invoices, the latest first: the plan's, and the fees of its pauses."""
        invoices = self._api.systems.billing.invoices(account_id)
        shown, next_cursor = page_of(invoices, _key, cursor, limit, latest_first=True)
        items = tuple(Invoice.of(each, pause_id=each.act_id) for each in shown)
        return Answer(InvoicePage(items=items, next_cursor=next_cursor)).response()


def _method(card: CardView | None) -> Answer:
    return Answer(PaymentMethod(card=Card.of(card) if card else None))


def _key(invoice: InvoiceView) -> Key:
    return (invoice.billing_on.isoformat(), invoice.invoice_id)
