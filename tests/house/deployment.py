"""Reading what is deployed: the image, the compose file, the manifests of Kubernetes."""

import re
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.house.documents import ROOT, project_files

DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
COMPOSE = DEPLOY / "compose/compose.yaml"
KUBERNETES = DEPLOY / "kubernetes"

Object = dict[str, Any]


@cache
def documents_of(file: Path) -> list[Object]:
    """The YAML documents of a file."""
    return [one for one in YAML(typ="safe").load_all(file.read_text(encoding="utf-8")) if one]


def compose() -> Object:
    """The compose file."""
    [document] = documents_of(COMPOSE)
    return document


def kustomizations() -> dict[Path, Object]:
    """Every kustomization, by its folder."""
    return {file.parent: documents_of(file)[0] for file in KUBERNETES.rglob("kustomization.yaml")}


def patches() -> dict[Path, Object]:
    """The files that change a manifest and are none by themselves."""
    named = [
        folder / patch["path"]
        for folder, kustomization in kustomizations().items()
        for patch in kustomization.get("patches", [])
    ]
    return {file: documents_of(file)[0] for file in named}


def manifests() -> list[Object]:
    """Every manifest, as it stands in its file."""
    return [
        document
        for file in sorted([*KUBERNETES.rglob("*.yaml"), *KUBERNETES.rglob("*.yaml.example")])
        if file.name != "kustomization.yaml" and file not in patches()
        for document in documents_of(file)
    ]


def manifest(kind: str, name: str) -> Object:
    """The manifest of that kind and name."""
    return next(
        one for one in manifests() if (one["kind"], one["metadata"]["name"]) == (kind, name)
    )


def pods() -> dict[str, Object]:
    """What each Deployment and Job runs, by its name."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in manifests()
        if one["kind"] in ("Deployment", "Job")
    }


def containers() -> list[Object]:
    """Every container of every pod."""
    return [
        container
        for pod in pods().values()
        for container in (*pod.get("initContainers", []), *pod["containers"])
    ]


def patched(object_: Any, patch: Any) -> Any:
    """A manifest with a patch laid over it, as kustomize does: lists of named things by name."""
    if isinstance(object_, Mapping) and isinstance(patch, Mapping):
        merged = {key: patched(object_.get(key), value) for key, value in patch.items()}
        return {**object_, **merged}
    if isinstance(object_, list) and patch and all("name" in each for each in patch):
        named = {each["name"]: each for each in object_}
        named |= {each["name"]: patched(named.get(each["name"]), each) for each in patch}
        return list(named.values())
    return patch


def instructions(stage: str | None = None) -> list[tuple[str, str]]:
    """The Dockerfile's instructions, of the stage of that name or of the last one."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    stages: dict[str | None, list[tuple[str, str]]] = {}
    current: str | None = None
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            current = rest.partition(" AS ")[2] or None
        stages.setdefault(current, []).append((word, rest.strip()))
    return stages[stage]


def variables() -> dict[str, str]:
    """What the image sets in the environment, less its PATH."""
    [text] = [rest for word, rest in instructions() if word == "ENV"]
    return {name: value for name, value in re.findall(r"(\w+)=(\S+)", text) if name != "PATH"}


def copied_files() -> list[str]:
    """The files that the image is built from: copied by the Dockerfile, let by .dockerignore."""
    sources = [
        source
        for word, rest in instructions("build")
        if word == "COPY"
        for source in rest.split()[:-1]
    ]
    return [
        name
        for file in project_files()
        if (name := file.relative_to(ROOT).as_posix())
        and any(name == source or name.startswith(f"{source}/") for source in sources)
        and is_sent(name)
    ]


def is_sent(name: str) -> bool:
    """Whether .dockerignore lets a file go to the builder: the last line that matches decides."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    is_ignored = False
    for line in lines:
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and _matches(name, pattern):
            is_ignored = not line.startswith("!")
    return not is_ignored


def _matches(name: str, pattern: str) -> bool:
    """Whether the pattern names the file or a folder above it."""
    parts = name.split("/")
    above = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern.removeprefix("**/")) for part in parts)
    return any(fnmatch(each, pattern) and "/" not in each[len(pattern) :] for each in above)
