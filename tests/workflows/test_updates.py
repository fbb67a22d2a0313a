"""Updates that make no sense are answered, never fatal."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from domain import names
from domain.errors import Code
from domain.messages import Status
from domain.states import PauseState
from tests.covering import covering
from tests.workflows.stage import Stage


@pytest.mark.parametrize(
    ("update", "payload"),
    covering(
        [names.PAUSE, names.CHANGE_RESUME_DATE, names.CLOSE],
        ["close please", 5, [], None, {"requested_by": ["x"], "pause_id": 5}],
    ),
)
async def test_an_update_that_makes_no_sense_is_refused_and_the_pause_goes_on(
    stage: Stage, update: str, payload: Any
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(update, payload)
        status = await stage.current(handle)

    assert status.state is PauseState.PAUSED


async def test_a_time_without_an_offset_is_refused(stage: Stage) -> None:
    request = {
        "requested_by": stage.administrator,
        "confirm": "CLOSE",
        "requested_at": "2026-01-01T09:00:00",
    }
    async with stage.worker():
        handle = await stage.paused()
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(names.CLOSE, request)
        await handle.signal(names.RESUME, {"requested_at": "2026-01-01T09:00:00"})
        status = await stage.current(handle)

    assert status.state is PauseState.PAUSED


async def test_a_resume_date_is_changed_only_if_it_is_the_one_that_was_expected(
    stage: Stage,
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        first = await stage.current(handle)
        assert first.resume_on is not None
        sooner = first.resume_on - timedelta(days=30)
        request = {"requested_by": stage.administrator, "resume_on": str(sooner)}
        moved = await handle.execute_update(
            names.CHANGE_RESUME_DATE,
            {**request, "expected_resume_on": str(first.resume_on)},
            result_type=Status,
        )
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(
                names.CHANGE_RESUME_DATE,
                {**request, "resume_on": None, "expected_resume_on": str(first.resume_on)},
            )
        status = await stage.current(handle)

    assert sooner == moved.resume_on == status.resume_on
    assert isinstance(refused.value.cause, ApplicationError)
    assert Code.PRECONDITION_FAILED == refused.value.cause.type
