"""Trackers: the list, and the form for a new one."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from domain.errors import Rejected
from domain.ids import Prefix
from domain.policy import Action
from domain.states import TrackerType
from starter.backend import Backend
from starter.web.site import paths
from starter.web.site.forms import LONGEST_LINE, Form, Mistake, fresh_id, kept_id, too_long
from starter.web.site.guard import Guard, Visitor
from starter.web.site.writer import Writer, go_to
from systems.numbers.trackers import NewTracker, TrackerStatus
from systems.numbers.written import read_e164

# Numbers without a country code are read as those of this country.
COUNTRY = "US"

NEEDED = {
    "name": "Say what the tracker is called.",
    "company_id": "Choose a company.",
    "source": "Say which source is tracked.",
    "destination_number": "Say where calls are put through to.",
    "call_flow_id": "Choose a call flow.",
    "tracking_numbers": "Name at least one tracking number.",
}
# What the numbers system says of a field, as somebody at the form would like to hear it.
REFUSED = {
    "destination_number": "That is no phone number, or it is a tracking number itself; write the"
    " number that rings, with its country code.",
    "tracking_numbers": "One of these is no phone number, stands here twice, or is in use already;"
    " a tracker for one source takes exactly one.",
    "swap_targets": "One of these is no complete phone number, or it is a number of this tracker.",
    "company_id": "Choose a company of your account.",
    "call_flow_id": "Choose a call flow of your account.",
}


def add_trackers(router: APIRouter, guard: Guard, writer: Writer, backend: Backend) -> None:
    """`/trackers` and `/trackers/new`."""
    pages = _Pages(writer, backend)

    @router.get(paths.TRACKERS)
    def show(
        visitor: Annotated[Visitor, guard.of(Action.LIST_TRACKERS)], done: str = ""
    ) -> Response:
        return pages.listed(visitor, done)

    @router.get(paths.NEW_TRACKER)
    def new(
        visitor: Annotated[Visitor, guard.of(Action.CHANGE_TRACKERS, administrator=True)],
    ) -> Response:
        return pages.form(visitor, fresh_id(Prefix.TRACKER))

    @router.post(paths.NEW_TRACKER)
    def create(
        visitor: Annotated[Visitor, guard.of(Action.CHANGE_TRACKERS, administrator=True)],
    ) -> Response:
        form = visitor.form
        tracker_id = kept_id(Prefix.TRACKER, form, "tracker_id")
        mistakes = [
            *(Mistake(field, words) for field, words in NEEDED.items() if not form.text(field)),
            *too_long("name", "A name", form.text("name"), LONGEST_LINE),
            *too_long("source", "A source", form.text("source"), LONGEST_LINE),
        ]
        if mistakes:
            return pages.form(visitor, tracker_id, mistakes)
        account_id = visitor.account_id
        try:
            backend.systems.numbers.create_tracker(
                _asked_for(account_id, tracker_id, form),
                backend.business_now(account_id),
                visitor.user_id,
            )
        except Rejected as error:
            field = str(error.figures.get("field", ""))
            words = REFUSED.get(field, error.message)
            return pages.form(visitor, tracker_id, [Mistake(field, words)])
        return go_to(f"{paths.TRACKERS}?done=made")


class _Pages:
    """The list and the form."""

    def __init__(self, writer: Writer, backend: Backend) -> None:
        self._writer = writer
        self._systems = backend.systems

    def listed(self, visitor: Visitor, done: str) -> Response:
        trackers = self._systems.numbers.trackers(visitor.account_id)
        active = [each for each in trackers if each.status is TrackerStatus.ACTIVE]
        return self._writer.page(
            "trackers",
            visitor,
            section=paths.TRACKERS,
            done=done,
            active=active,
            disabled=[each for each in trackers if each.status is TrackerStatus.DISABLED],
            numbers=sum(len(each.tracking_numbers) for each in active),
        )

    def form(self, visitor: Visitor, tracker_id: str, mistakes: Sequence[Mistake] = ()) -> Response:
        account_id, form = visitor.account_id, visitor.form
        call_flows = self._systems.numbers.snapshot(account_id)["call_flows"]
        return self._writer.page(
            "new_tracker",
            visitor,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK,
            section=paths.TRACKERS,
            mistakes=mistakes,
            tracker_id=tracker_id,
            companies=[
                (each.company_id, each.name) for each in self._systems.dni.companies(account_id)
            ],
            call_flows=[(key, each["name"]) for key, each in call_flows.items()],
            form=form,
            type=_type(form),
        )


def _asked_for(account_id: str, tracker_id: str, form: Form) -> NewTracker:
    destination = e164(form.text("destination_number"))
    return NewTracker(
        tracker_id=tracker_id,
        account_id=account_id,
        company_id=form.text("company_id"),
        name=form.text("name"),
        type=_type(form),
        source=form.text("source"),
        destination_number=destination,
        call_flow_id=form.text("call_flow_id"),
        tracking_numbers=tuple(map(e164, form.lines("tracking_numbers"))),
        # Where nothing else is said, the script swaps the number that customers know.
        swap_targets=form.lines("swap_targets") or (destination,),
    )


def _type(form: Form) -> TrackerType:
    is_pool = form.text("type") == TrackerType.SESSION
    return TrackerType.SESSION if is_pool else TrackerType.SOURCE


def e164(text: str) -> str:
    """A phone number as people write it, in E.164; what is no complete one stays as it is."""
    return read_e164(text, COUNTRY) or text
