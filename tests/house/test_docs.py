"""The documents are true: what they name exists, and what exists is named."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel, SecretStr

from domain import names
from domain.ids import Prefix, checked_id
from domain.messages import (
    ChangeResumeDateRequest,
    CloseInput,
    CloseRequest,
    PauseInput,
    PauseRequest,
    ResumeRequest,
    Status,
)
from domain.names import Activity, SearchAttribute
from domain.states import PauseState, Role
from settings import Settings
from starter.cli import app
from starter.cli.app import execute
from systems.sample.parts import account_id, user_id
from tests.house.documents import ROOT, Document, document, documents, project_files

README = document("README.md")
RULES = document("docs/rules.md")
SETTINGS = document("docs/settings.md")
DOCUMENTS = documents()

each_document = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)

COMMANDS: dict[str, Any] = dict(getattr(typer.main.get_command(app), "commands", {}))
# Set apart by spaces it is a mark in a drawing of intervals.
RULE = re.compile(r"(?<!  )\bR(\d{1,2})\b")
INVARIANT = re.compile(r"\b([MNAS][1-9])\b")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|md|json|svg|toml))")
NAMED_IN_FILE = re.compile(r"`([\w/]+\.py)` \(`(\w+)`")

PICTURES = (".png",)

HELP = "A command is documented that does not exist; see `account-pause --help`."


def test_there_are_documents() -> None:
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/rules.md"} <= {
        page.name for page in DOCUMENTS
    }


# --- commands ------------------------------------------------------------------------------------


@each_document
def test_every_make_target_that_is_named_exists(page: Document) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    named = {target for code in page.code for target in re.findall(r"\bmake ([a-z]+)", code)}

    assert named <= targets, f"{page.name} names {named - targets}; `make help` lists what exists"


def test_the_readme_names_what_a_developer_needs() -> None:
    named = {target for code in README.code for target in re.findall(r"\bmake ([a-z]+)", code)}

    assert {"run", "demo", "test", "check"} <= named


def test_the_continuous_check_is_what_the_documents_say() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")

    targets = re.findall(r"^make ([\w-]+)", script, re.MULTILINE)
    assert targets == ["check", "test-thorough", "test"]


@each_document
def test_every_command_that_is_named_exists_with_its_options(page: Document) -> None:
    for code in page.code:
        for command, rest in re.findall(r"\baccount-pause ([a-z][a-z-]*)(.*)", code):
            assert command in COMMANDS, f"{page.name}: {command}. {HELP}"
            known = {option for each in _meant(command, rest).params for option in each.opts}
            used = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)) - {"--help"}
            assert used <= known, f"{page.name}: `{code}` has unknown options {used - known}"


def test_every_command_is_named_in_the_readme_or_its_pages() -> None:
    code = "\n".join(line for page in DOCUMENTS for line in page.code)
    unnamed = {name for name in COMMANDS if f"account-pause {name}" not in code}

    assert not unnamed, f"no page tells of {unnamed}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = execute([command, "--help"])

    assert exit_code == 0
    assert "Usage: account-pause" in capsys.readouterr().out


def test_the_installed_command_has_help() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("account-pause"), "--help"],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in COMMANDS)


# --- links and paths -----------------------------------------------------------------------------


@each_document
def test_every_relative_link_leads_somewhere(page: Document) -> None:
    for link in page.links:
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page.name).parent / path if path else ROOT / page.name
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        if anchor:
            page_there = document(target.resolve().relative_to(ROOT).as_posix())
            assert anchor in page_there.anchors, f"{page.name}: {link} has no such heading"


@each_document
def test_every_file_that_is_named_exists(page: Document) -> None:
    tops = {path.relative_to(ROOT).parts[0] for path in project_files()}
    named = {span for span in page.spans if PATH.fullmatch(span) and span.split("/")[0] in tops}
    missing = {name for name in named if not (ROOT / name).exists()}

    assert not missing, f"{page.name} names {missing}"


@each_document
def test_what_is_said_to_be_in_a_file_is_there(page: Document) -> None:
    for path, name in NAMED_IN_FILE.findall(page.text):
        assert name in (ROOT / path).read_text(encoding="utf-8"), f"{path} has no {name}"


def test_the_picture_shows_every_state() -> None:
    picture = (ROOT / "docs/lifecycle.svg").read_text(encoding="utf-8")

    assert all(f">{state}<" in picture for state in PauseState)


def test_every_decision_is_listed() -> None:
    listed = set(document("docs/decisions/README.md").links)
    pages = {path.name for path in (ROOT / "docs/decisions").glob("0*.md")}

    assert pages == listed


# --- rules ---------------------------------------------------------------------------------------


def test_the_rules_are_r1_to_r19() -> None:
    headings = re.findall(r"^## (R\d+)$", RULES.text, re.MULTILINE)

    assert headings == [f"R{number}" for number in range(1, 20)]


def test_every_rule_says_where_it_lives() -> None:
    for part in RULES.text.split("\n## R")[1:]:
        assert "*Code:*" in part, f"R{part[:2]} names no code"
        assert "*Tests:*" in part, f"R{part[:2]} names no test"


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        (RULE, {str(number) for number in range(1, 20)}),
        (INVARIANT, {row[0] for row in RULES.rows}),
    ],
    ids=["rules", "invariants"],
)
def test_every_rule_that_is_cited_is_on_its_page(pattern: re.Pattern[str], known: set[str]) -> None:
    for path, text in _texts(".py", ".md", ".j2"):
        unknown = set(pattern.findall(text)) - known
        assert not unknown, f"{path} cites {unknown}, which docs/rules.md does not have"


# --- settings ------------------------------------------------------------------------------------


def test_every_setting_is_documented_with_its_variable_and_default_and_nothing_else() -> None:
    documented = {
        row[0].strip("`"): (row[1].strip("`"), row[3])
        for row in SETTINGS.rows
        if row[0].startswith("`")
    }
    settings = {
        name: (_variable(name), _shown(field.default))
        for name, field in Settings.model_fields.items()
    }

    assert settings == documented


def test_every_setting_has_a_unit_and_a_sentence() -> None:
    for row in SETTINGS.rows:
        assert len(row) == 5, row
        assert all(row), f"{row[0]} lacks something"


@each_document
def test_every_variable_that_is_named_exists(page: Document) -> None:
    known = {_variable(name) for name in Settings.model_fields}
    named = set(re.findall(r"\bACCOUNT_PAUSE_[A-Z_]+\b", page.text)) - {"ACCOUNT_PAUSE_"}

    assert named <= known, f"{page.name} names {named - known}, which settings.py does not read"


# --- names that others build against -------------------------------------------------------------


def test_the_readmes_names_are_those_of_the_code() -> None:
    assert _named("Task queue") == [names.TASK_QUEUE]
    assert _named("Workflow type") == [names.ACCOUNT_PAUSE, names.ACCOUNT_CLOSE]
    assert _named("Workflow id") == [
        names.pause_workflow_id("{account_id}"),
        names.close_workflow_id("{account_id}"),
    ]
    assert _named("Signal") == [
        names.RESUME,
        names.PAYMENT_METHOD_UPDATED,
        names.PAYMENT_NEWS,
        names.RETRY,
    ]
    assert _named("Update") == [names.PAUSE, names.CHANGE_RESUME_DATE, names.CLOSE]
    assert _named("Query") == [names.STATUS]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (names.ACCOUNT_PAUSE, PauseInput),
        (names.ACCOUNT_CLOSE, CloseInput),
        (names.RESUME, ResumeRequest),
        (names.PAUSE, PauseRequest),
        (names.CHANGE_RESUME_DATE, ChangeResumeDateRequest),
        (names.CLOSE, CloseRequest),
    ],
)
def test_the_readme_names_every_field_of_what_callers_send(
    name: str, message: type[BaseModel]
) -> None:
    payload = next(row[2] for row in README.rows if len(row) == 3 and row[1] == f"`{name}`")

    assert set(message.model_fields) == set(re.findall(r"`([a-z_]+)`", payload))


def test_the_readme_names_every_field_of_the_answer_and_every_state() -> None:
    answer = next(line for line in README.text.splitlines() if line.startswith("- **The answer**"))
    named = set(re.findall(r"`([a-z_]+)`", answer))

    assert set(Status.model_fields) | set(PauseState) == named - {names.PAUSE, names.STATUS}


def test_the_readme_names_every_search_attribute() -> None:
    line = next(line for line in README.text.splitlines() if line.startswith("Search attributes:"))

    assert set(re.findall(r"`(\w+)`", line)) == set(SearchAttribute)


def test_the_operators_register_every_search_attribute_with_its_type() -> None:
    registered = {
        name: kind
        for code in document("docs/operations.md").code
        for name, kind in re.findall(r"--name (\w+) --type (\w+)", code)
    }

    assert {str(name): kind for name, kind in names.SEARCH_ATTRIBUTE_TYPES.items()} == registered


@each_document
def test_queries_use_search_attributes_that_exist(page: Document) -> None:
    known = _words(SearchAttribute) | {"WorkflowType", "ExecutionStatus"}
    queries = [code for code in page.code if re.match(r"\w+ ?(=| IN | BETWEEN )", code)]
    used = {word for query in queries for word in re.findall(r"(\w+) ?(?:=| IN | BETWEEN )", query)}

    assert {word for word in used if word[0].isupper() and not word.isupper()} <= known


def test_the_architecture_names_every_step() -> None:
    spans = set(document("docs/architecture.md").spans)

    assert not _words(Activity) - spans, "docs/architecture.md tells a pause's life in steps"


@each_document
def test_every_input_for_temporals_command_line_is_one_that_the_workflow_takes(
    page: Document,
) -> None:
    for line in page.code:
        for text in re.findall(r"--type AccountPause .*--input '(\{.*?\})'", line):
            request = PauseInput.model_validate_json(text)
            assert set(json.loads(text)) <= set(PauseInput.model_fields)
            assert request.account_id == account_id("brightside-dental")
            assert request.requested_by == user_id("brightside-dental", Role.ADMIN)
            assert request.pause_id is None or checked_id(Prefix.PAUSE, request.pause_id)
            assert f"--workflow-id {names.pause_workflow_id(request.account_id)}" in line


def test_the_readmes_example_for_backends_sends_fields_that_exist() -> None:
    block = README.text.partition("```ts\n")[2].partition("```")[0]
    started = re.findall(r"args: \[\{ (.+?) \}\]", block)
    signalled = block.partition(f"signal('{names.RESUME}', {{")[2].partition("}")[0]

    assert set(re.findall(r"(\w+):", *started)) == {"account_id", "requested_by"}
    assert set(re.findall(r"^ +(\w+):", signalled, re.MULTILINE)) == set(ResumeRequest.model_fields)
    assert account_id("brightside-dental") in block


# --- what no file may hold -----------------------------------------------------------------------

# Bracketed, so that this file does not hold what it looks for.
FORBIDDEN = {
    "the address of a package registry": r"[p]ypi\.|[p]ythonhosted|[n]pmjs|[p]roxy\.golang",
    "a path of somebody's machine": r"(?<![\w.~])/(?:[w]ork|[r]oot|[h]ome|[U]sers)/\w",
    "a note to oneself": r"\b(?:[T]ODO|[F]IXME|[X]XX)\b",
    "a stub": r"\b[N]otImplementedError\b",
    "who asked for it": r"(?i)\b[s]ubagent|\bthis [i]ssue\b|\b[i]ssue #?\d|\bthe [b]rief\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [f"{path}: {each.group()}" for path, text in _texts() if (each := pattern.search(text))]

    assert found == []


@pytest.mark.parametrize(
    ("what", "example"),
    [
        ("the address of a package registry", "https://py|pi.o|rg/sim|ple"),
        ("a path of somebody's machine", "see /ro|ot/project"),
        ("a note to oneself", "# TO|DO: later"),
        ("a stub", "raise Not|ImplementedError"),
        ("who asked for it", "closes iss|ue 12"),
    ],
)
def test_control_what_no_file_may_hold_would_be_found(what: str, example: str) -> None:
    assert re.search(FORBIDDEN[what], example.replace("|", ""))


# --- small things --------------------------------------------------------------------------------


def _meant(command: str, rest: str) -> Any:
    """The command that is meant: of a group, such as `user`, the one that the next word names."""
    group = getattr(COMMANDS[command], "commands", None)
    word = next(iter(rest.split()), None)
    if group is None or word is None:
        return COMMANDS[command]
    assert word in group, f"{command} {word}. {HELP}"
    return group[word]


def _texts(*suffixes: str) -> Iterable[tuple[str, str]]:
    """Every file of the project with one of these suffixes, or every file that can be read."""
    for path in project_files():
        if path.suffix in suffixes or not (suffixes or path.suffix in PICTURES):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _named(kind: str) -> list[str]:
    return [row[1].strip("`") for row in README.rows if len(row) == 3 and row[0] == kind]


def _variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    prefix = Settings.model_config.get("env_prefix", "")
    return str(alias) if alias else f"{prefix}{name.upper()}"


def _shown(default: object) -> str:
    if default in ("", SecretStr("")):
        return "empty"
    return f"`{json.dumps(default) if isinstance(default, tuple) else default}`"


def _words(kind: type[StrEnum]) -> set[str]:
    return {member.value for member in kind}
