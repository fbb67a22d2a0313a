"""Which tests `make test` leaves to `make test-thorough`, so that it stays a matter of minutes.

What is left is a sample of everything: each rule, each system on SQLite, those with locks on
PostgreSQL too. Thorough are whole matrices (`tests/covering.py`), the second database of what has
no locks of its own, and what starts several processes or a browser for long.
"""

from pathlib import PurePath

import pytest

MODULES = frozenset(
    {
        "tests/browser/test_accessibility.py",
        "tests/browser/test_pages.py",
        "tests/browser/test_promises.py",
        "tests/browser/test_temporal_ui.py",
        "tests/browser/test_visitors.py",
        "tests/e2e/test_budget.py",
        "tests/e2e/test_cli_names.py",
        "tests/e2e/test_crash.py",
        "tests/e2e/test_observed.py",
        "tests/e2e/test_operators_buttons.py",
        "tests/e2e/test_redoing.py",
        "tests/e2e/test_stripe.py",
        "tests/e2e/test_sweeper.py",
        "tests/e2e/test_two_years.py",
        "tests/house/test_walkthrough.py",
        "tests/starter/test_anchor.py",
        "tests/starter/test_cli_cards.py",
        "tests/starter/test_demo.py",
        "tests/starter/test_follow.py",
        "tests/starter/test_up.py",
        "tests/starter/web/api/test_faults.py",
        "tests/starter/web/api/test_idempotency.py",
        "tests/starter/web/api/test_matrix.py",
        "tests/starter/web/api/test_schemathesis.py",
        "tests/starter/web/site/test_acts.py",
        "tests/starter/web/test_server.py",
        "tests/systems/test_billing_crashes.py",
        "tests/systems/test_billing_properties.py",
        "tests/systems/test_migrations.py",
        "tests/systems/test_money_faults.py",
        "tests/systems/test_reconciling_faults.py",
        "tests/systems/test_refund_crashes.py",
        "tests/systems/test_stripe_faults.py",
        "tests/test_worker.py",
        "tests/workflows/test_faults.py",
        "tests/workflows/test_starting_over.py",
    }
)

# Their statements, locks and constraints are where the two databases differ.
ON_BOTH_DATABASES = frozenset(
    {
        "tests/systems/test_accounts.py",
        "tests/systems/test_billing_collecting.py",
        "tests/systems/test_db.py",
        "tests/systems/test_effects.py",
        "tests/systems/test_ledger.py",
        "tests/systems/test_requests.py",
    }
)


def mark_thorough(items: list[pytest.Item], root: PurePath) -> None:
    """Mark what belongs to `make test-thorough`."""
    for item in items:
        module = PurePath(item.path).relative_to(root).as_posix()
        if module in MODULES or (_is_second_database(item) and module not in ON_BOTH_DATABASES):
            item.add_marker("thorough")


def _is_second_database(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and "postgresql" in callspec.params.values()
