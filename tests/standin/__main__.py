"""`python -m tests.standin`: serve until killed; the first line of output tells both ports."""

import asyncio
import json

from tests.standin.verbs import Verbs, obeyed
from tests.standin.wire import Door, Reply, Request


async def serve() -> None:
    """Stripe's API on one port, the verbs for tests on another, which is never shut."""
    verbs = Verbs()

    async def obey(request: Request) -> Reply:
        return await obeyed(verbs, request)

    control = Door(obey)
    await verbs.door.open()
    await control.open()
    print(json.dumps({"api": verbs.door.port, "control": control.port}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
