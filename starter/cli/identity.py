"""The commands of who may come in: users with their passwords, and API keys for backends."""

import sys
from typing import Annotated

import typer
from rich.table import Table

from domain.errors import Code, Rejected
from domain.states import Role
from settings import Settings
from starter.cli.app import AccountName, AsJson, Yes, app, asked, confirmed, run
from starter.cli.context import opened
from starter.cli.output import Output
from starter.cli.views import grid, named, state
from starter.now import utc_now
from systems.audit import OPERATOR
from systems.identity.api_keys import ApiKey
from systems.identity.users import User

PANEL = "Set-up"

user = typer.Typer(help="Who may log in.", no_args_is_help=True)
api_key = typer.Typer(help="Keys by which backends act for a user.", no_args_is_help=True)
app.add_typer(user, name="user", rich_help_panel=PANEL)
app.add_typer(api_key, name="api-key", rich_help_panel=PANEL)

UserName = Annotated[str, typer.Argument(metavar="USER", help="A user's id or e-mail.")]


@user.command("add")
def add_user(
    account: AccountName,
    email: Annotated[str, typer.Argument(help="With it they log in, and there mails go.")],
    name: Annotated[str, typer.Option(help="What they are called.")],
    role: Annotated[Role, typer.Option(help="What they may do.")],
    as_json: AsJson = False,
) -> None:
    """Add a user to an account. Nobody logs in as them before `user set-password`."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            account_id = context.account(account).account_id
            added = context.systems.identity.users.add(
                account_id, name, email, role, utc_now(), OPERATOR
            )
            output.result(added, f"Added {added.name}, {added.role}, as {added.user_id}.")

    run(work())


@user.command("list")
def list_users(account: AccountName, as_json: AsJson = False) -> None:
    """List an account's users."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            found = context.account(account)
            users = context.systems.identity.users.of_account(found.account_id)
            output.result({"users": users}, _users_table(users, found.name))

    run(work())


@user.command("set-password")
def set_password(
    who: UserName,
    from_stdin: Annotated[
        bool, typer.Option("--stdin", help="Read it from standard input instead of asking.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a user log in with another password; whoever is logged in as them is logged out."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            users = context.systems.identity.users
            found = users.user(who)
            password = _typed_password(from_stdin=from_stdin, as_json=as_json)
            users.set_password(found.user_id, password, utc_now(), OPERATOR)
            output.result(users.user(found.user_id), f"{found.name} may log in with it now.")

    run(work())


@user.command("block")
def block_user(who: UserName, yes: Yes = False, as_json: AsJson = False) -> None:
    """Keep a user out: no log-in, no session, no API key, until a password is set again."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            users = context.systems.identity.users
            found = users.user(who)
            question = f"Keep {found.name} out, and revoke their API keys for good?"
            confirmed(question, yes=yes, as_json=as_json)
            users.block(found.user_id, utc_now(), OPERATOR)
            output.result(users.user(found.user_id), f"{found.name} is kept out.")

    run(work())


@api_key.command("create")
def create_key(
    who: UserName,
    label: Annotated[str, typer.Argument(help="What it is for, to tell keys apart.")],
    as_json: AsJson = False,
) -> None:
    """Make a key that acts for a user. It is shown this once."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            identity = context.systems.identity
            found = identity.users.user(who)
            new = identity.api_keys.create(found.user_id, label, utc_now(), OPERATOR)
            # Alone on standard output, so that a shell can take it from there.
            output.result({"api_key": new.secret, **vars(new.key)}, new.secret)
            output.note(f"It acts for {found.name}, {found.role}, and is shown this once.")

    run(work())


@api_key.command("list")
def list_keys(account: AccountName, as_json: AsJson = False) -> None:
    """List the keys of an account's users, revoked ones too."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            found, identity = context.account(account), context.systems.identity
            keys = identity.api_keys.of_account(found.account_id)
            users = {each.user_id: each for each in identity.users.of_account(found.account_id)}
            output.result({"api_keys": keys}, _keys_table(keys, users, found.name))

    run(work())


@api_key.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `api-key list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Make a key good for nothing, at once."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            revoked = context.systems.identity.api_keys.revoke(key_id, utc_now(), OPERATOR)
            output.result(revoked, f"“{revoked.label}” is revoked.")

    run(work())


def _typed_password(*, from_stdin: bool, as_json: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if as_json:
        raise Rejected(
            Code.VALIDATION_FAILED,
            "With --json no questions are asked; pipe it in with --stdin.",
        )
    # Not an option of the command, whose words other people on the machine can read.
    password: str = asked(
        lambda: typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    return password


def _users_table(users: list[User], name: str) -> Table:
    table = grid(name, "User", "E-mail", "Role", "May log in")
    for each in users:
        may_log_in = "yes" if each.has_password else "no"
        table.add_row(named(each.name, each.user_id), each.email, each.role, may_log_in)
    return table


def _keys_table(keys: list[ApiKey], users: dict[str, User], name: str) -> Table:
    table = grid(name, "Key", "Acts for", "Last used", "State")
    for each in keys:
        is_live = each.revoked_at is None
        table.add_row(
            named(f"{each.label}, …{each.hint}", each.key_id),
            users[each.user_id].name,
            f"{each.last_used_at:%Y-%m-%d %H:%M} UTC" if each.last_used_at else "never",
            state("active" if is_live else "revoked"),
            style="" if is_live else "dim",
        )
    return table
