"""What is meant for one machine is refused in production, and told wherever it may be that."""

import logging
from pathlib import Path

import pytest

from settings import Settings, SettingsError
from starter.production import check_production, unfit
from tests.starter.conftest import Cli
from tests.temporal import free_port

LOG = logging.getLogger("tests.production")

FIT = {
    "DATABASE_URL": "postgresql+psycopg://user:password@host/name",
    "STRIPE_API_KEY": "sk_test_fit",
    "SMTP_URL": "smtp://mail.example.org",
    "ACCOUNT_PAUSE_PUBLIC_URL": "https://pause.example.org",
    "ACCOUNT_PAUSE_SUPPORT_EMAIL": "help@example.org",
    "TEMPORAL_ADDRESS": "temporal.example.org:7233",
}
WRONG = {
    "DATABASE_URL": "",
    "STRIPE_API_KEY": "",
    "SMTP_URL": "",
    "ACCOUNT_PAUSE_PUBLIC_URL": "http://pause.example.org",
    "ACCOUNT_PAUSE_SUPPORT_EMAIL": "support@example.com",
    "TEMPORAL_ADDRESS": "",
}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*FIT, "TEMPORAL_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def test_what_is_fit_for_production_starts_there_without_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fit = settings(monkeypatch, **FIT, ACCOUNT_PAUSE_PRODUCTION="true")

    check_production(fit, LOG)

    assert [] == caplog.records


@pytest.mark.parametrize("name", WRONG)
def test_each_thing_that_is_for_one_machine_is_refused_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    unfit_for_it = settings(
        monkeypatch, **{**FIT, name: WRONG[name]}, ACCOUNT_PAUSE_PRODUCTION="true"
    )

    assert [name] == [finding.split()[0] for finding in unfit(unfit_for_it)]
    with pytest.raises(SettingsError, match=name):
        check_production(unfit_for_it, LOG)


def test_a_public_address_that_is_this_machines_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = settings(monkeypatch, **{**FIT, "ACCOUNT_PAUSE_PUBLIC_URL": "https://localhost"})

    assert ["ACCOUNT_PAUSE_PUBLIC_URL"] == [finding.split()[0] for finding in unfit(here)]


def test_all_of_it_is_told_at_once_and_no_secret_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = settings(
        monkeypatch, ACCOUNT_PAUSE_PRODUCTION="true", SMTP_URL="smtp://user:hunter2@mail"
    )

    with pytest.raises(SettingsError) as refused:
        check_production(trial, LOG)

    assert 5 == str(refused.value).count("\n- ")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("sign", ["DATABASE_URL", "ACCOUNT_PAUSE_PUBLIC_URL", "TEMPORAL_ADDRESS"])
def test_it_is_told_where_anything_says_that_this_is_no_trial(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, sign: str
) -> None:
    check_production(settings(monkeypatch, **{sign: FIT[sign]}), LOG)

    assert 5 == len(caplog.records)
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_a_trial_on_one_machine_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    check_production(settings(monkeypatch, TEMPORAL_ADDRESS="127.0.0.1:7233"), LOG)

    assert [] == caplog.records


def test_a_web_process_does_not_start_where_it_is_refused(cli: Cli, tmp_path: Path) -> None:
    port = str(free_port())
    answer = cli(tmp_path, "web", "--port", port, "--json", ACCOUNT_PAUSE_PRODUCTION="true")

    assert 2 == answer.exit_code
    assert "STRIPE_API_KEY" in answer.document["message"]
