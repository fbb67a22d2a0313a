"""`account-pause up`: everything that one machine needs, until somebody stops it."""

import asyncio
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime

from starter.local.marker import LocalStack, Marker, claimed
from starter.local.stack import Plan, Stack
from systems.migrate import upgrade
from systems.sample import seed
from systems.wiring import open_systems

CONNECTIONS = 5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]
WhenReady = Callable[[LocalStack], None]


async def run_up(plan: Plan, say: Say, when_ready: WhenReady) -> None:
    """Run the stack until a signal stops it; `when_ready` is told where everything is.

    Raises:
        AlreadyUp: another one runs on the same state directory.
        StackFailed: it cannot start, or its server has ended.
        Transient: the database is away.
    """
    stop = _stop_on_signals()
    with claimed(plan.state_dir) as marker:
        say("Migrating the database")
        _prepare_database(plan)
        stack = Stack(plan, say)
        running = asyncio.create_task(_run(stack, plan, marker, when_ready))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            say("Stopping")
            for task in (running, stopping):
                task.cancel()
            await asyncio.gather(running, stopping, return_exceptions=True)
            await stack.stop()


async def _run(stack: Stack, plan: Plan, marker: Marker, when_ready: WhenReady) -> None:
    await stack.start()
    here = LocalStack(
        os.getpid(),
        plan.target,
        plan.ui_url,
        owns_server=plan.address is None,
        web_url=plan.web_url,
    )
    marker.announce(here)
    when_ready(here)
    await stack.follow()


def _prepare_database(plan: Plan) -> None:
    """Migrate; a database without any account gets the sample accounts."""
    settings = plan.settings
    systems = open_systems(settings.database, settings.gateway, CONNECTIONS, settings.stripe)
    try:
        upgrade(systems.engine)
        if not systems.accounts.accounts():
            seed(systems, datetime.now(UTC), with_log_ins=settings.is_local)
    finally:
        systems.close()


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in STOP_SIGNALS:
        loop.add_signal_handler(wanted, stop.set)
    return stop
