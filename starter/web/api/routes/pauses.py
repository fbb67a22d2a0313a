"""A pause: what it would do, begin it, look at it, move its end, end it."""

from asyncio import to_thread
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from domain.errors import Code
from domain.ids import Prefix, make_id
from domain.messages import Status
from domain.policy import Action
from starter.web.api.answers import Answer
from starter.web.api.bodies import Day, PauseBody, ResumeBody, ResumeDateBody
from starter.web.api.documents import Pause, Preview
from starter.web.api.earlier import pause_meant
from starter.web.api.guard import AccountId, By
from starter.web.api.once import Call, IdempotencyKey
from starter.web.api.routes.table import Table, link
from starter.web.api.services import Services
from starter.web.api.versions import IfMatch, etag_of, expected

PAUSE = "/accounts/{account_id}/pause"

ETAG = {
    "ETag": {
        "description": "For `If-Match`, when the resume date is changed.",
        "schema": {"type": "string"},
    }
}
REFUSALS = (
    Code.ACCOUNT_ALREADY_PAUSED,
    Code.PAUSING_FAILED,
    Code.PAYMENT_METHOD_REQUIRED,
    Code.TERMS_NOT_ACCEPTED,
    Code.TOO_MANY_TRACKING_NUMBERS,
    Code.INVALID_RESUME_DATE,
)
NOT_PAUSED = (Code.PAUSE_NOT_FOUND, Code.ACCOUNT_NOT_PAUSED, Code.RUN_IS_ENDING)
THIS_PAUSE = "$response.body#/pause_id"


def pause_routes(api: Services) -> APIRouter:
    """`/accounts/{account_id}/pause` and below."""
    pauses, table = Pauses(api), Table("Pause", api.guards)
    table.of_account(
        "GET",
        PAUSE,
        pauses.get_pause,
        Action.PAUSE_STATUS,
        Pause,
        codes=[Code.PAUSE_NOT_FOUND],
        headers=ETAG,
    )
    table.of_account("GET", f"{PAUSE}/preview", pauses.preview_pause, Action.PREVIEW, Preview)
    table.of_account(
        "POST",
        PAUSE,
        pauses.pause_account,
        Action.PAUSE,
        Pause,
        administrator=True,
        status=HTTPStatus.CREATED,
        codes=REFUSALS,
        headers=ETAG,
        links={
            **link("getPause"),
            **link("changeResumeDate", {"header.If-Match": "$response.header.ETag"}),
            **link("resumeAccount", body={"pause_id": THIS_PAUSE}),
            **link("closeAccount", body={"confirm": "CLOSE", "pause_id": THIS_PAUSE}),
        },
    )
    table.of_account(
        "PATCH",
        PAUSE,
        pauses.change_resume_date,
        Action.CHANGE_RESUME_DATE,
        Pause,
        administrator=True,
        codes=[*NOT_PAUSED, Code.INVALID_RESUME_DATE, Code.PRECONDITION_FAILED],
        headers=ETAG,
        links=link("resumeAccount", body={"pause_id": THIS_PAUSE}),
    )
    table.of_account(
        "POST",
        f"{PAUSE}/resume",
        pauses.resume_account,
        Action.RESUME,
        Pause,
        administrator=True,
        also=HTTPStatus.ACCEPTED,
        codes=NOT_PAUSED,
        headers=ETAG,
        links=link("getPause"),
    )
    return table.router


class Pauses:
    """What the routes do."""

    def __init__(self, api: Services) -> None:
        """By the product's commands."""
        self._api = api

    def get_pause(self, account_id: AccountId) -> Response:
        """The pause in effect, else the last one; or the close of an active account.

        It is answered from the record, also while Temporal or the workers are away.
        """
        return pause_answer(self._api.backend.record(account_id)).response()

    def preview_pause(
        self, account_id: AccountId, resume_on: Annotated[Day | None, Query()] = None
    ) -> Response:
        """What a pause that begins now would do, or why it may not begin.

        While one is open: what it does, and what a resume right now would put on the plan's next
        invoice.
        """
        preview = self._api.backend.preview(account_id, resume_on=resume_on)
        return Answer(Preview.of(preview)).response()

    async def pause_account(
        self,
        request: Request,
        account_id: AccountId,
        body: PauseBody,
        by: By,
        key: IdempotencyKey = None,
    ) -> Response:
        """Pause the account; answers when the pause is in effect, or is refused."""

        async def pause(call: Call) -> Answer:
            status = await self._api.backend.pause(
                account_id,
                by.user_id,
                terms_version=body.terms_version,
                resume_on=body.resume_on,
                reason=body.reason,
                pause_id=body.pause_id or make_id(Prefix.PAUSE, call.effect_id),
            )
            return pause_answer(status, HTTPStatus.CREATED)

        return await self._api.once.answer(request, by, key, pause)

    async def change_resume_date(
        self, account_id: AccountId, body: ResumeDateBody, by: By, if_match: IfMatch = None
    ) -> Response:
        """Move the planned resume; null drops the chosen date, which leaves the latest one."""
        seen = await expected(self._api.backend, account_id, if_match)
        status = await self._api.backend.change_resume_date(
            account_id,
            by.user_id,
            body.resume_on,
            pause_id=body.pause_id or seen.pause_id,
            expected_resume_on=seen.resume_on,
        )
        return pause_answer(status).response()

    async def resume_account(
        self,
        request: Request,
        account_id: AccountId,
        by: By,
        body: ResumeBody | None = None,
        key: IdempotencyKey = None,
    ) -> Response:
        """Resume the account. Answers when everything is back (200), or with how far it is (202).

        It counts from when it was asked for first: a fee due later is not owed.
        """

        async def resume(call: Call) -> Answer:
            backend, pause_id = self._api.backend, body.pause_id if body else None
            if pause_id is None and call.is_repeat:
                # A later pause is not ended by a request from before it that was cut off.
                pause_id = await to_thread(pause_meant, backend, account_id, call.asked_at)
            status = await backend.resume(
                account_id, by.user_id, pause_id=pause_id, asked_at=call.asked_at
            )
            return pause_answer(status, under_way=HTTPStatus.ACCEPTED)

        return await self._api.once.answer(request, by, key, resume)


def pause_answer(
    status: Status, done: HTTPStatus = HTTPStatus.OK, under_way: HTTPStatus | None = None
) -> Answer:
    """The answer with that pause; `under_way` is its HTTP status while the act has not ended."""
    is_done = under_way is None or status.state.is_final
    return Answer(
        Pause.of(status), done if is_done else under_way or done, {"ETag": etag_of(status)}
    )
