"""Every committed history replays on today's code (S4): what is in flight survives a release."""

import asyncio
import re
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle, NondeterminismError

from domain.names import Activity
from starter.replaying import replayer
from tests.replay.histories import ADVICE, DIRECTORY, path_of, read
from tests.replay.scenarios import SCENARIOS

# What must never be in a file that is committed: paths, host names, addresses, phone numbers.
MACHINES_AND_PEOPLE = re.compile(r"/(work|root|home|tmp|usr)/|\d+@\w|@[\w.-]+\.\w|\+1\d{10}")


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_committed_history_replays(name: str) -> None:
    failure = await _failure(read(name))

    assert failure is None, f"{name}: {failure}\n{ADVICE}"


@pytest.mark.parametrize("name", ["resumed-by-itself", "closed-by-the-ladder"])
async def test_a_release_with_a_step_renamed_would_not_replay(name: str) -> None:
    failure = await _failure(read(name), _Renamed())

    assert isinstance(failure, NondeterminismError)


@pytest.mark.parametrize("name", ["resumed-by-itself", "closed-by-the-ladder"])
async def test_a_release_with_a_step_less_would_not_replay(name: str) -> None:
    failure = await _failure(read(name), _Removed())

    assert isinstance(failure, NondeterminismError)


def test_each_scenario_has_its_history_and_none_is_left_over() -> None:
    assert {path_of(name) for name in SCENARIOS} == set(DIRECTORY.iterdir())


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_committed_history_names_no_machine_and_nobody(name: str) -> None:
    decoded = str(read(name).events) + path_of(name).read_text(encoding="utf-8")

    assert MACHINES_AND_PEOPLE.search(decoded) is None


@pytest.mark.parametrize("name", ["resumed-by-itself", "closed-by-the-ladder"])
async def test_control_what_listens_to_a_replay_does_not_disturb_it(name: str) -> None:
    assert await _failure(read(name), Interceptor()) is None


async def _failure(history: WorkflowHistory, *changes: Interceptor) -> Exception | None:
    sandboxed: dict[str, Any] = {"workflow_runner": UnsandboxedWorkflowRunner()} if changes else {}
    replaying = replayer(interceptors=changes, **sandboxed)
    result = await replaying.replay_workflow(history, raise_on_replay_failure=False)
    return result.replay_failure


# --- what another release might do ---------------------------------------------------------------


class _RenamedOutbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        if input.activity == Activity.MARK_PAUSED:
            input.activity = "note_paused"
        return super().start_activity(input)


class _RemovedOutbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        if input.activity != Activity.SUSPEND_ACCESS:
            return super().start_activity(input)
        done: Any = asyncio.create_task(_nothing())
        return done  # type: ignore[no-any-return]


async def _nothing() -> None:
    """What is left of a step that was removed."""


class _RenamedInbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_RenamedOutbound(outbound))


class _RemovedInbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_RemovedOutbound(outbound))


class _Renamed(Interceptor):
    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        return _RenamedInbound


class _Removed(Interceptor):
    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        return _RemovedInbound
