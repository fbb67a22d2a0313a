"""The script's address over HTTP: what it answers, how it is cached, what it never says."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy import select
from starlette.middleware import Middleware

from domain.errors import Transient
from domain.states import AccountStatus, NumberState
from settings import Settings
from starter.web.app import build_app
from starter.web.dni import dni_routes
from starter.web.guards import LastResort, SafeHeaders
from starter.web.swap_script import HOLE, SOURCE, as_literal
from systems.dni import SqlDni, WebScript
from systems.sample import seed
from systems.tables import AccountRow, CompanyRow, NumberRow, TrackerRow
from systems.wiring import Systems, open_systems
from tests.house.documents import document
from tests.systems.examples import ACCOUNT, AT, CLOSE, LATER, OTHER_KEY, add_account, step

START, END = SOURCE.read_text(encoding="utf-8").split(HOLE)
INERT = f"{START}null{END}"
FUNCTIONS = ("swap", "getNumber", "getNumbers", "getSource", "onSwap")


@dataclass(frozen=True)
class Client:
    """Asks an application, one request at a time."""

    app: FastAPI

    def get(self, path: str, **more: Any) -> Response:
        return self.request("GET", path, **more)

    def head(self, path: str) -> Response:
        return self.request("HEAD", path)

    def request(self, method: str, path: str, **more: Any) -> Response:
        async def ask() -> Response:
            transport = ASGITransport(self.app)
            async with AsyncClient(
                transport=transport, base_url="http://dni.example", follow_redirects=True
            ) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())


@pytest.fixture
def systems(sqlite_url: str, tmp_path: Path) -> Iterator[Systems]:
    systems = open_systems(sqlite_url, f"sqlite:///{tmp_path / 'gateway.db'}")
    add_account(systems.db)
    add_account(systems.db, OTHER_KEY)
    yield systems
    systems.close()


@pytest.fixture
def client(systems: Systems) -> Client:
    """The script's routes with what the web process puts on every answer; machines may be busy."""
    app = FastAPI(middleware=[Middleware(SafeHeaders), Middleware(LastResort)])
    app.router.routes.extend(dni_routes(systems, patience_seconds=60).routes)
    return Client(app)


@pytest.fixture
def address(systems: Systems) -> str:
    """Of the company that has numbers."""
    return f"/dni/{systems.dni.companies(ACCOUNT)[0].script_key}/swap.js"


def data_of(response: Response) -> dict[str, Any] | None:
    """What the script was given, None for nothing; the rest of it must be the source."""
    assert response.text.startswith(START)
    assert response.text.endswith(END)
    data: dict[str, Any] | None = json.loads(response.text[len(START) : -len(END)])
    return data


# --- what it answers -----------------------------------------------------------------------------


def test_the_script_knows_numbers_targets_and_sources_and_nothing_else(
    client: Client, address: str
) -> None:
    def us(national: str) -> dict[str, str]:
        return {"country": "1", "trunk": "1", "national": national}

    assert data_of(client.get(address)) == {
        "cookie": f"dni_{address.split('/')[2]}",
        "cookieDays": 30,
        "parameter": "utm_source",
        "swaps": [
            {
                "source": "google_ads",
                "targets": [us("2015550100")],
                "numbers": [us("2015550101")],
            },
            {
                "source": "all_visitors",
                "targets": [us("2015550100")],
                "numbers": [us("2015550102"), us("2015550103")],
            },
        ],
    }


def test_a_destination_that_is_no_swap_target_is_not_told(
    systems: Systems, client: Client, address: str
) -> None:
    change(systems, TrackerRow, swap_targets=["+12015550177"])

    text = client.get(address).text

    assert "2015550177" in text
    assert "2015550100" not in text


def test_a_script_is_one_that_any_web_site_may_load_and_keep_for_a_minute(
    client: Client, address: str
) -> None:
    answer = client.get(address)

    assert answer.status_code == 200
    assert {
        "content-type": "text/javascript; charset=utf-8",
        "cache-control": "public, max-age=60",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "cross-origin",
        "access-control-allow-origin": "*",
    }.items() <= dict(answer.headers).items()
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.headers["etag"])
    assert "set-cookie" not in answer.headers


def test_head_answers_as_get_does_without_a_body(client: Client, address: str) -> None:
    got, head = client.get(address), client.head(address)

    assert (200, b"") == (head.status_code, head.content)
    assert dict(got.headers) == dict(head.headers)


# --- when it swaps nothing -----------------------------------------------------------------------


def test_a_pause_and_a_resume_need_no_other_address(
    systems: Systems, client: Client, address: str
) -> None:
    before = client.get(address)
    systems.dni.disable_script(step())
    during = client.get(address)
    systems.dni.enable_script(step(at=LATER))
    after = client.get(address)

    assert 200 == during.status_code
    assert INERT == during.text
    assert before.text == after.text != during.text


def test_after_a_close_and_a_reopening_new_numbers_are_swapped_at_the_same_address(
    systems: Systems, client: Client, address: str
) -> None:
    act = step(CLOSE)
    systems.dni.disable_script(act)
    systems.numbers.release_numbers(act)
    change(systems, AccountRow, status=AccountStatus.CLOSED)
    assert INERT == client.get(address).text

    change(systems, AccountRow, status=AccountStatus.ACTIVE)
    systems.dni.reopen(ACCOUNT, LATER)
    assert INERT == client.get(address).text, "the old numbers are gone"

    change(systems, TrackerRow, disabled_at=None)
    change(systems, NumberRow, state=NumberState.ACTIVE)
    assert data_of(client.get(address)) is not None


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (AccountRow, {"status": AccountStatus.PAUSED}),
        (AccountRow, {"status": AccountStatus.CLOSED}),
        (CompanyRow, {"is_script_enabled": False}),
        (NumberRow, {"state": NumberState.RETAINED}),
        (NumberRow, {"state": NumberState.RELEASED}),
        (TrackerRow, {"disabled_at": AT}),
        (TrackerRow, {"swap_targets": []}),
    ],
)
def test_the_script_is_inert_when(
    table: Any, values: dict[str, Any], systems: Systems, client: Client, address: str
) -> None:
    change(systems, table, **values)

    answer = client.get(address)

    assert (200, INERT) == (answer.status_code, answer.text)
    assert client.get("/dni/nobodys/swap.js").headers == answer.headers


@pytest.mark.parametrize(
    "key",
    [
        "nobodys",
        "",
        "a/b",
        "..%2f..%2fsecret",
        "%3C/script%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "';alert(1);'",
        "%00",
        "%e2%80%a8",
        "%ff",
        "k" * 65,
        "k" * 5000,
        "' OR '1'='1",
    ],
)
def test_whatever_is_written_for_a_key_gets_the_inert_script(key: str, client: Client) -> None:
    answer = client.get(f"/dni/{key}/swap.js")

    assert (200, INERT) == (answer.status_code, answer.text)


def test_both_scripts_have_the_functions_that_the_documents_name(
    systems: Systems, client: Client, address: str
) -> None:
    documented = re.findall(r"^\| `DNI\.(\w+)\(", document("docs/dni.md").text, re.MULTILINE)
    swapping = client.get(address).text
    systems.dni.disable_script(step())
    inert = client.get(address).text

    assert sorted(FUNCTIONS) == sorted(documented)
    for text in (swapping, inert):
        assert all(re.search(rf"^    {name}: {name},$", text, re.MULTILINE) for name in FUNCTIONS)


# --- when something fails ------------------------------------------------------------------------


class FailingDni(SqlDni):
    """A database that is away, or worse."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def web_script(self, script_key: str) -> WebScript | None:
        raise self._error


class SlowDni(SqlDni):
    """A database that answers when it is allowed to."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()

    def web_script(self, script_key: str) -> WebScript | None:
        self.may_answer.wait(60)
        return None


@pytest.mark.parametrize("error", [Transient("away"), KeyError("+12015550100"), ValueError("bad")])
def test_a_failure_leaves_the_sites_own_number(
    error: Exception, systems: Systems, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_with(replace(systems, dni=FailingDni(error)))

    answer = client.get(address)

    assert (200, INERT) == (answer.status_code, answer.text)
    assert type(error).__name__ in caplog.text
    assert "2015550100" not in caplog.text, "what a log must not hold"


def test_a_database_that_hangs_makes_no_web_site_wait(systems: Systems, address: str) -> None:
    dni = SlowDni()
    client = client_with(replace(systems, dni=dni), patience_seconds=0.05)

    # More than may look something up at once: the later ones wait no longer than the first.
    answers = [client.get(address) for _ in range(10)]
    dni.may_answer.set()

    assert {(200, INERT)} == {(answer.status_code, answer.text) for answer in answers}


def test_a_company_that_cannot_be_written_down_leaves_the_sites_own_number(
    systems: Systems, client: Client, address: str
) -> None:
    change(systems, CompanyRow, swap_settings=["no", "settings"])

    assert INERT == client.get(address).text


# --- caching -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["{}", "W/{}", '"another", {}', "{},W/{}"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_that_has_the_script_is_told_so(
    method: str, pattern: str, client: Client, address: str
) -> None:
    tag = client.get(address).headers["etag"]

    answer = client.request(method, address, headers={"If-None-Match": pattern.format(tag, tag)})

    assert (304, b"") == (answer.status_code, answer.content)
    assert (tag, "public, max-age=60") == (
        answer.headers["etag"],
        answer.headers["cache-control"],
    )


@pytest.mark.parametrize("known", ["", '"another"', "nonsense", '"', ",,,"])
def test_a_browser_that_has_another_script_gets_this_one(
    known: str, client: Client, address: str
) -> None:
    answer = client.get(address, headers={"If-None-Match": known})

    assert 200 == answer.status_code
    assert data_of(answer) is not None


def test_the_tag_changes_with_what_is_swapped(
    systems: Systems, client: Client, address: str
) -> None:
    first, again = (client.get(address).headers["etag"] for _ in range(2))
    systems.dni.disable_script(step())
    known = client.get(address, headers={"If-None-Match": first})

    assert first == again
    assert (200, INERT) == (known.status_code, known.text)


# --- hostile data --------------------------------------------------------------------------------

HOSTILE = (
    "</script><script>window.pwned=1</script>",
    "<!--<script>",
    "'\"`${window.pwned=1}",
    "\\u0027;window.pwned=1//",
    "\u2028window.pwned=1\u2029",
    "]]>&quot;&lt;",
    "*/null);window.pwned=1;(/*",
    "\x00\x1f\x7f\ud800",
    "__proto__",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_written_is_only_a_string(text: str) -> None:
    literal = as_literal({"source": text})

    assert {"source": text} == json.loads(literal)
    assert re.fullmatch(r"[ -~]+", literal), "ASCII on one line"
    assert not set(literal) & set("<>&")


def test_hostile_names_numbers_and_targets_stay_data(
    systems: Systems, client: Client, address: str
) -> None:
    # A lone surrogate is no text that a database would take.
    texts = [text.replace("\ud800", "").replace("\x00", "") for text in HOSTILE]
    change(systems, CompanyRow, name=texts[0], swap_settings={"referrer_parameter": texts[2]})
    change(systems, TrackerRow, name=texts[1], source=texts[0])
    change(systems, TrackerRow, swap_targets=[*texts, 5, None, "", '<b>"(201) 555-0100'])

    data = data_of(client.get(address))

    assert data is not None
    assert texts[2] == data["parameter"]
    assert {texts[0]} == {swap["source"] for swap in data["swaps"]}
    assert all(["2015550100"] == [each["national"] for each in s["targets"]] for s in data["swaps"])
    assert re.fullmatch(r"[0-9]+", "".join(n for s in data["swaps"] for n in numbers_in(s)))


@pytest.mark.parametrize(
    ("days", "kept"), [(30, 30), (0, 1), (-5, 1), (9999, 400), ("30", 90), (True, 90), (None, 90)]
)
def test_a_visitor_is_remembered_for_as_long_as_the_company_says_within_reason(
    days: object, kept: int, systems: Systems, client: Client, address: str
) -> None:
    change(systems, CompanyRow, swap_settings={"cookie_days": days, "referrer_parameter": 7})

    data = data_of(client.get(address))

    assert data is not None
    assert (kept, "utm_source") == (data["cookieDays"], data["parameter"])


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("(201) 555-0100", ("1", "2015550100")),
        ("+33 1 42 68 53 00", ("33", "142685300")),
        ("0044 20 7946 0000", None),
        ("555-0100", None),
        ("911", None),
        ("+1 201 555 0100 ext. 7", ("1", "2015550100")),
    ],
)
def test_a_target_is_read_as_its_country_writes_it(
    target: str,
    parts: tuple[str, str] | None,
    systems: Systems,
    client: Client,
    address: str,
) -> None:
    change(systems, TrackerRow, swap_targets=[target])

    data = data_of(client.get(address))

    read = data and {(each["country"], each["national"]) for each in data["swaps"][0]["targets"]}
    assert ({parts} if parts else None) == read


def test_the_source_holds_nothing_that_ends_a_script_tag() -> None:
    assert not re.search(r"</?script|<!--", INERT, re.IGNORECASE)


def test_the_source_can_be_read_by_old_browsers() -> None:
    syntax = r"\?\.[\w(\[]|\?\?|\(\?<|catch \{|\.\.\.\w+ \}|\{ \.\.\.|\bimport\b|#\w"
    functions = r"fromEntries|\.flat|matchAll|replaceAll|\.at\(|\.finally|globalThis"

    assert [] == re.findall(f"{syntax}|{functions}", INERT), "younger than ES2017"
    assert INERT.isascii()


# --- the sample web site -------------------------------------------------------------------------


def test_the_sample_web_site_is_there_only_where_it_is_wanted(
    systems: Systems, tmp_path: Path
) -> None:
    settings = Settings(state_dir=tmp_path)
    local = Client(build_app(settings, systems, with_sample_site=True))
    elsewhere = Client(build_app(settings, systems))

    assert 200 == local.get("/sample-site?utm_source=google_ads").status_code
    assert "text/html" in local.get("/sample-site/").headers["content-type"]
    assert 200 == local.head("/sample-site/site.css").status_code
    assert 404 == local.get("/sample-site/..%2Fapp.py").status_code
    assert 404 == elsewhere.get("/sample-site/").status_code


def test_the_sample_web_site_shows_a_sample_companys_own_number_and_loads_its_script(
    sqlite_url: str, tmp_path: Path
) -> None:
    systems = open_systems(sqlite_url, f"sqlite:///{tmp_path / 'gateway.db'}")
    clinic = seed(systems, datetime(2026, 3, 3, tzinfo=UTC))[0]
    companies = systems.dni.companies(clinic.account_id)
    company = next(each for each in companies if each.name == "Brightside Dental Loop")
    script = systems.dni.web_script(company.script_key)
    systems.close()
    app = FastAPI()
    app.include_router(dni_routes(systems, with_sample_site=True))
    client = Client(app)

    for name in ("", "contact.html"):
        html = client.get(f"/sample-site/{name}").text
        assert f'<script src="/dni/{company.script_key}/swap.js" async></script>' in html
        assert script is not None
        assert {f"tel:{target}" in html for swap in script.swaps for target in swap.swap_targets}


# --- small things --------------------------------------------------------------------------------


def client_with(systems: Systems, **options: Any) -> Client:
    app = FastAPI()
    app.include_router(dni_routes(systems, **options))
    return Client(app)


def numbers_in(swap: dict[str, Any]) -> list[str]:
    return [value for each in swap["targets"] + swap["numbers"] for value in each.values()]


def change(systems: Systems, table: Any, **values: Any) -> None:
    """Change what the example's account has in that table."""
    owner = AccountRow.id if table is AccountRow else table.account_id
    with systems.db.transaction() as session:
        for row in session.scalars(select(table).where(owner == ACCOUNT)):
            for name, value in values.items():
                setattr(row, name, value)
