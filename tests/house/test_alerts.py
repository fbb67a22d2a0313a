"""Alert rules and dashboard: each alert fires when it should, says what to do, and is drawn."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.house.deployment import DEPLOY, documents_of
from tests.house.documents import document

FOLDER = DEPLOY / "observability"
RULES, DASHBOARD = "alerts.yml", "dashboard.json"
SCENARIOS = ["alerts_test.yml", "reconciliation_test.yml"]

ALERTS: list[dict[str, Any]] = [
    rule for group in documents_of(FOLDER / RULES)[0]["groups"] for rule in group["rules"]
]
RUNBOOK = "docs/operations.md#alert-"

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])


@pytest.fixture
def promtool() -> str:
    """Prometheus's own checker; a machine without it leaves these tests out, unless CI is set."""
    found = shutil.which("promtool")
    if found is None:
        advice = "there is no promtool: scripts/test-programs installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(advice)
        pytest.skip(advice)
    return found


def run(program: str, *arguments: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_prometheus_takes_the_rules_and_the_example(promtool: str) -> None:
    checked = run(promtool, "check", "config", "prometheus.yml")

    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_every_alert_fires_in_trouble_and_only_then(promtool: str) -> None:
    tested = run(promtool, "test", "rules", *SCENARIOS)

    assert 0 == tested.returncode, tested.stdout + tested.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("max(account_pause_runs_waiting_for_operator) > 0", "vector(1)"),
        pytest.param(
            "max by (kind) (account_pause_charges_overdue) > 0",
            "vector(0) > 0",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            " offset 15m)\n          ) > 0\n        labels: {severity: critical}",
            " offset 15m)\n          ) > 9\n        labels: {severity: critical}",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_control_a_rule_that_is_wrong_is_noticed(
    promtool: str, tmp_path: Path, right: str, wrong: str
) -> None:
    rules = (FOLDER / RULES).read_text(encoding="utf-8")
    assert 1 == rules.count(right)
    (tmp_path / RULES).write_text(rules.replace(right, wrong), encoding="utf-8")
    shutil.copy(FOLDER / SCENARIOS[0], tmp_path)

    tested = run(promtool, "test", "rules", SCENARIOS[0], folder=tmp_path)

    assert 1 == tested.returncode
    assert "FAILED" in tested.stdout + tested.stderr


@each_alert
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(
    alert: dict[str, Any],
) -> None:
    name, annotations = alert["alert"], alert["annotations"]
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()

    assert alert["labels"]["severity"] in ("critical", "warning")
    assert {"summary", "description", "runbook_url"} == set(annotations)
    assert f"{RUNBOOK}{kebab}" == annotations["runbook_url"]


@each_alert
def test_an_alert_is_listed_and_has_a_section_of_what_to_do(alert: dict[str, Any]) -> None:
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")

    assert f"`{alert['alert']}`" in document("docs/observability.md").text
    assert anchor in document(page).anchors, f"{page} does not say what to do: ### {anchor}"


@each_alert
def test_an_alert_has_a_scenario_in_which_it_fires_and_one_in_which_it_does_not(
    alert: dict[str, Any],
) -> None:
    wanted = f'ALERTS{{alertname="{alert["alert"]}",alertstate="firing"}}'
    expected = [
        case["exp_samples"]
        for scenario in SCENARIOS
        for test in documents_of(FOLDER / scenario)[0]["tests"]
        for case in test["promql_expr_test"]
        if case["expr"] == wanted
    ]

    assert any(expected)
    assert not all(expected)


# --- the dashboard -------------------------------------------------------------------------------

PANELS: list[dict[str, Any]] = json.loads((FOLDER / DASHBOARD).read_text(encoding="utf-8"))[
    "panels"
]


def test_the_dashboard_shows_pauses_money_workers_and_web() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]

    assert ["Pauses", "Money", "Workers", "Web"] == rows


def test_every_panel_has_a_place_of_its_own_and_asks_the_chosen_prometheus() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert "${datasource}" == target["datasource"]["uid"]
    assert len(PANELS) == len({panel["id"] for panel in PANELS})


def test_prometheus_can_read_what_the_panels_ask(promtool: str, tmp_path: Path) -> None:
    asked = [target["expr"] for panel in PANELS for target in panel.get("targets", [])]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(asked)]
    file = tmp_path / "panels.yml"
    # What is JSON is YAML too.
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")

    checked = run(promtool, "check", "rules", str(file))

    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert f"{len(asked)} rules found" in checked.stdout
