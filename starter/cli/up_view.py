"""What `up` says: how far it is, where everything is, and how to try a pause."""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url

from domain import names
from domain.queries import SAVED_QUERIES, path_of
from domain.states import AccountStatus, Role
from settings import Settings
from starter.cli.output import Output
from starter.cli.views import lines
from starter.connect import LOCAL_ADDRESS
from starter.local.marker import LocalStack
from starter.local.server import NoServer, find_temporal
from starter.preview import preview_of_pause
from starter.web.paths import SAMPLE_SITE
from systems.sample import PASSWORD
from systems.sample.parts import email_of
from systems.wiring import Systems, open_systems

# The administrator of the account that the other lines are about.
SAMPLE_EMAIL = email_of("brightside-dental", Role.ADMIN)
# Who sees the same without buttons, with the same password.
OTHER_EMAILS = " or ".join(
    email_of("brightside-dental", role) for role in (Role.MANAGER, Role.REPORTING)
)


class UpScreen:
    """Talks to whoever started the stack."""

    def __init__(self, settings: Settings, namespace: str, output: Output) -> None:
        """Everything is said through `output`."""
        self._settings = settings
        self._namespace = namespace
        self._output = output
        self.is_ready = False

    def say(self, text: str) -> None:
        """One line about what happens."""
        self._output.note(text)

    def ready(self, stack: LocalStack) -> None:
        """The stack is up."""
        self.is_ready = True
        settings = self._settings
        logs = settings.state_dir / "logs"
        document = {
            "address": stack.address,
            "ui_url": stack.ui_url,
            "web_url": stack.web_url,
            "pid": stack.pid,
            "database": _without_password(settings.database),
            "mails": None if settings.smtp_url else settings.mail_dir,
            "logs": logs,
        }
        self._output.result(
            document,
            "",
            lines("The stack is up; Ctrl-C stops it, its data stays", self._places(stack, logs)),
            "",
            lines("Try it in another terminal", self._tries(stack)),
        )

    def _places(self, stack: LocalStack, logs: Path) -> list[tuple[str, str | None]]:
        mails = "go to SMTP_URL" if self._settings.smtp_url else str(self._settings.mail_dir)
        places: list[tuple[str, str | None]] = [
            ("Web", stack.web_url),
            ("  log in as", f"{SAMPLE_EMAIL}, {PASSWORD}" if self._settings.is_local else None),
            ("  or as", OTHER_EMAILS if self._settings.is_local else None),
            ("  sample web site", self._sample_site(stack)),
            ("Temporal", stack.address),
            ("Web UI", stack.ui_url),
        ]
        if stack.ui_url is not None:
            places += [
                (f"  {saved.name}", f"{stack.ui_url}/{path_of(saved.query, self._namespace)}")
                for saved in SAVED_QUERIES
            ]
        return [*places, ("Mails", mails), ("Logs", str(logs))]

    def _sample_site(self, stack: LocalStack) -> str | None:
        is_there = self._settings.is_local and stack.web_url is not None
        return f"{stack.web_url}{SAMPLE_SITE}" if is_there else None

    def _tries(self, stack: LocalStack) -> list[tuple[str, str | None]]:
        command = _shortest("account-pause", Path(sys.argv[0]).absolute())
        example = _example(self._settings)
        if example is None:
            return [("Sample accounts", f"{command} seed")]
        account_id, name, administrator_id = example
        short = name.split()[0]
        return [
            ("Sample accounts", f"{command} seed"),
            ("Look first", f"{command} preview {short}"),
            ("Pause", f"{command} pause {short}"),
            ("Move its clock", f"{command} fast-forward {short} --days 40"),
            ("Resume", f"{command} resume {short}"),
            *self._temporal_tries(stack, account_id, administrator_id),
        ]

    def _temporal_tries(
        self, stack: LocalStack, account_id: str, administrator_id: str
    ) -> list[tuple[str, str | None]]:
        try:
            command = f"{_shortest('temporal', Path(find_temporal()))} workflow"
        except NoServer:
            return []
        where = "" if stack.address == LOCAL_ADDRESS else f" --address {stack.address}"
        workflow_id = f"--workflow-id {names.pause_workflow_id(account_id)}{where}"
        start = (
            f"{command} start --type {names.ACCOUNT_PAUSE} --task-queue {names.TASK_QUEUE}"
            f" {workflow_id} --input"
            f' \'{{"account_id": "{account_id}", "requested_by": "{administrator_id}"}}\''
        )
        return [
            ("Or as a backend", start),
            ("", f"{command} query --type {names.STATUS} {workflow_id}"),
            ("", f"{command} signal --name {names.RESUME} {workflow_id}"),
        ]


def _example(settings: Settings) -> tuple[str, str, str] | None:
    """An account that may pause, with its name and an administrator."""
    systems = open_systems(settings.database, settings.gateway, 1, settings.stripe)
    try:
        return _account_that_may_pause(systems, settings)
    finally:
        systems.close()


def _account_that_may_pause(systems: Systems, settings: Settings) -> tuple[str, str, str] | None:
    now = datetime.now(UTC)
    for account in systems.accounts.accounts():
        if account.status is not AccountStatus.ACTIVE:
            continue
        users = systems.accounts.users(account.account_id)
        administrator = next((user.user_id for user in users if user.role is Role.ADMIN), None)
        preview = preview_of_pause(systems, settings.offer, account.account_id, now, None)
        if administrator is not None and preview.refusal is None:
            return account.account_id, account.name, administrator
    return None


def _shortest(name: str, path: Path) -> str:
    """How to call a command from here: by name if the shell finds it, else by its path."""
    if shutil.which(name) is not None:
        return name
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _without_password(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)
