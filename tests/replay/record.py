"""Records the committed histories anew, on the real server: `make histories`.

Only before the first release, or for a scenario that is new: a history that running pauses may have
is never recorded again (see `ADVICE`).
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from temporalio.client import WorkflowHistory

from systems.db import make_engine
from systems.tables import Base
from tests.replay.histories import DIRECTORY, FINGERPRINTS, fingerprint, read, write
from tests.replay.scenarios import SCENARIOS
from tests.temporal import TemporalServer, running_server
from tests.workflows.stage import open_stage


async def record(server: TemporalServer, directory: Path, name: str) -> WorkflowHistory:
    """The history of one scenario, as it goes on today's code."""
    database_url = f"sqlite:///{directory / name}.db"
    engine = make_engine(database_url)
    Base.metadata.create_all(engine)
    engine.dispose()
    gateway_url = f"sqlite:///{directory / name}-gateway.db"
    async with open_stage(server, database_url, gateway_url, key=f"replay-{name}") as stage:
        run = await SCENARIOS[name].play(stage)
        return await run.fetch_history()


async def main(wanted: list[str]) -> None:
    """Record the scenarios named, or all, and pin the fingerprints of whatever is committed."""
    DIRECTORY.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        with running_server(directory / "server.log") as server:
            for name in wanted or SCENARIOS:
                write(name, await record(server, directory, name))
                print(f"recorded {name}")
    fingerprints = {name: fingerprint(read(name)) for name in SCENARIOS}
    FINGERPRINTS.write_text(json.dumps(fingerprints, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
