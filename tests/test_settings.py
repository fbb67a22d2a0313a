"""Settings are validated once, and what is wrong is told by name."""

from pathlib import Path

import pytest

from domain.terms import Offer
from settings import Settings, SettingsError


def test_without_any_variable_everything_is_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    settings = Settings.load()

    assert settings.database == "sqlite:///.account-pause/account-pause.db"
    assert settings.gateway == "sqlite:///.account-pause/sandbox-gateway.db"
    assert settings.mail_dir == Path(".account-pause/mails")
    assert settings.offer == Offer()


def test_variables_override_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://db/pause")
    monkeypatch.setenv("ACCOUNT_PAUSE_FEE_MINOR", "700")
    monkeypatch.setenv("ACCOUNT_PAUSE_REMINDER_DAYS", "[7, 1]")

    settings = Settings.load()

    assert settings.database == "postgresql+psycopg://db/pause"
    assert settings.offer.fee_minor == 700
    assert settings.offer.reminder_days == (7, 1)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ACCOUNT_PAUSE_FEE_MINOR", "five dollars"),
        ("ACCOUNT_PAUSE_FEE_MINOR", "0"),
        ("ACCOUNT_PAUSE_WORKER_SLOTS", "0"),
        ("ACCOUNT_PAUSE_LADDER_END", "shrug"),
        ("ACCOUNT_PAUSE_BUILD_ID", "release of today"),
        ("ACCOUNT_PAUSE_PRODUCTION", "perhaps"),
        ("ACCOUNT_PAUSE_TRUSTED_PROXIES", "*"),
        ("ACCOUNT_PAUSE_GATEWAY_URL", "mysql://user:secret@host/name"),
        ("DATABASE_URL", "postgres://user:secret@host/name"),
        ("DATABASE_URL", "postgresql://user:secret@host:secret/name"),
        ("DATABASE_URL", "nonsense"),
        ("SMTP_URL", "mail.example.com"),
        ("SMTP_URL", "smtp://user:secret@host:secret"),
        ("SMTP_URL", "http://user:secret@host"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_by_its_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=variable) as raised:
        Settings.load()

    assert "secret" not in str(raised.value)


def test_a_list_that_is_not_json_is_told_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNT_PAUSE_LADDER_DAYS", "1, 5")

    with pytest.raises(SettingsError, match=r"ladder_days.*JSON"):
        Settings.load()


def test_a_ladder_must_climb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNT_PAUSE_LADDER_DAYS", "[1, 5, 30]")

    with pytest.raises(SettingsError, match="rise"):
        Settings.load()


def test_mails_link_to_pages_once_somebody_has_said_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unsaid = Settings.load()
    monkeypatch.setenv("ACCOUNT_PAUSE_PUBLIC_URL", "https://product.example")

    assert unsaid.pages_url is None
    assert Settings.load().pages_url == "https://product.example"


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = Settings.load()

    with pytest.raises(ValueError, match="frozen"):
        settings.fee_minor = 1  # type: ignore[misc]
