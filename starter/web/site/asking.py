"""What the form of the pause page carries: what is asked for, and a mark of what was shown."""

from dataclasses import dataclass, replace
from datetime import date

from domain.ids import Prefix
from starter.preview import Preview
from starter.web.site.course import mark_of
from starter.web.site.forms import Form, day_in, fresh_id, kept_id

PAUSE_ID, RESUME_ON, REASON, ACCEPT = "pause_id", "resume_on", "reason", "accept"
TERMS, SHOWN = "terms_version", "shown"


@dataclass(frozen=True)
class Asking:
    """A pause that somebody is about to ask for.

    `pause_id` is made when the form is shown: whoever sends it twice pauses once (R15). `shown`
    marks the dates and amounts that the page has shown.
    """

    pause_id: str
    resume_on: str = ""
    reason: str = ""
    is_accepted: bool = False
    terms_version: str = ""
    shown: str = ""

    @property
    def resume_day(self) -> date | None:
        """The chosen date, None for the latest one."""
        return day_in(self.resume_on)

    @property
    def has_bad_date(self) -> bool:
        """Whether what stands in the date's field is no date."""
        return bool(self.resume_on) and self.resume_day is None

    def was_shown(self, preview: Preview) -> bool:
        """Whether the page has shown what `preview` says."""
        return self.shown == mark_of(preview)

    def showing(self, preview: Preview) -> "Asking":
        """The same, once the page shows `preview`. Other terms have to be accepted anew."""
        version = preview.terms.version
        is_accepted = self.is_accepted and self.terms_version == version
        return replace(self, shown=mark_of(preview), terms_version=version, is_accepted=is_accepted)


def fresh_asking(resume_on: str) -> Asking:
    """For a form that is shown for the first time."""
    return Asking(fresh_id(Prefix.PAUSE), resume_on)


def asking_in(form: Form) -> Asking:
    """As the form has it that was sent."""
    return Asking(
        pause_id=kept_id(Prefix.PAUSE, form, PAUSE_ID),
        resume_on=form.text(RESUME_ON),
        reason=form.text(REASON),
        is_accepted=bool(form.text(ACCEPT)),
        terms_version=form.text(TERMS),
        shown=form.text(SHOWN),
    )
