"""An account, and its end."""

from asyncio import to_thread
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from domain.ids import Prefix, make_id
from domain.policy import Action
from starter.web.api.answers import Answer
from starter.web.api.bodies import CloseBody
from starter.web.api.documents import Account, Pause
from starter.web.api.earlier import act_closed
from starter.web.api.guard import AccountId, By
from starter.web.api.once import Call, IdempotencyKey
from starter.web.api.routes.pauses import ETAG, pause_answer
from starter.web.api.routes.table import Table, link
from starter.web.api.services import Services

ACCOUNT = "/accounts/{account_id}"


def account_routes(api: Services) -> APIRouter:
    """`/accounts/{account_id}` and its `/close`."""
    accounts, table = Accounts(api), Table("Account", api.guards)
    table.of_account("GET", ACCOUNT, accounts.get_account, Action.PAUSE_STATUS, Account)
    table.of_account(
        "POST",
        f"{ACCOUNT}/close",
        accounts.close_account,
        Action.CLOSE,
        Pause,
        administrator=True,
        also=HTTPStatus.ACCEPTED,
        headers=ETAG,
        links=link("getAccount"),
    )
    return table.router


class Accounts:
    """What the routes do."""

    def __init__(self, api: Services) -> None:
        """By the product's commands."""
        self._api = api

    def get_account(self, account_id: AccountId) -> Response:
        """The account, and whether it works, rests or is gone."""
        return Answer(Account.of(self._api.systems.accounts.view(account_id))).response()

    async def close_account(
        self,
        request: Request,
        account_id: AccountId,
        body: CloseBody,
        by: By,
        key: IdempotencyKey = None,
    ) -> Response:
        """Close the account for good, paused or active: its numbers are released.

        It takes the typed word `CLOSE`. Answers when the account is closed (200), or with how far
        it is (202).
        """

        async def close(call: Call) -> Answer:
            status = await self._api.backend.close(
                account_id,
                by.user_id,
                body.confirm,
                close_id=body.pause_id or await self._close_id(account_id, call),
                asked_at=call.asked_at,
            )
            return pause_answer(status, under_way=HTTPStatus.ACCEPTED)

        return await self._api.once.answer(request, by, key, close)

    async def _close_id(self, account_id: str, call: Call) -> str:
        earlier = None
        if call.is_repeat:
            # A reopened account is not closed by a request from before that was cut off.
            earlier = await to_thread(act_closed, self._api.backend, account_id, call.asked_at)
        return earlier or make_id(Prefix.CLOSE, call.effect_id)
