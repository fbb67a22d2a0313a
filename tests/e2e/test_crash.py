"""A worker that is killed at any moment and started again changes nothing about the outcome."""

import asyncio
from pathlib import Path

from domain.names import RESUME, Activity
from domain.states import PauseState
from systems.sample import SampleAccount
from tests.e2e.crash_worker import CHARGE
from tests.e2e.site import open_site
from tests.temporal import TemporalServer


async def test_wherever_a_worker_is_killed_the_pause_ends_as_if_nothing_had_been(
    temporal_server: TemporalServer, sqlite_url: str, tmp_path: Path
) -> None:
    # killed at: pausing |[ ... | idle ... $| charged, not recorded ... )| resuming
    async with open_site(temporal_server, sqlite_url, tmp_path) as site:
        keys = ("charging", "pausing", "idle", "resuming", "undisturbed", "undisturbed-resume")
        charging, pausing, idle, resuming, undisturbed, undisturbed_resume = map(site.account, keys)
        with site.held_worker(
            _hold(CHARGE, charging),
            _hold(Activity.SUSPEND_PLAN, pausing),
            _hold(Activity.REACTIVATE_NUMBERS, resuming),
        ) as held:
            held.until_ready()
            kept = [await site.start(charging), await site.start(pausing)]
            idle_handle = await site.start(idle, skipping=False)
            resuming_handle = await site.start(resuming, skipping=False)
            for handle in (idle_handle, resuming_handle):
                await site.stage.until_state(handle, PauseState.PAUSED)
            await resuming_handle.signal(RESUME)
            await site.until_reached(CHARGE, Activity.SUSPEND_PLAN, Activity.REACTIVATE_NUMBERS)
            held.kill()

        assert [(500, "succeeded")] == site.payments(charging)
        assert [] == [one for one in site.outcome(charging)["invoices"] if one[-1] == "paid"]

        with site.worker():
            undisturbed_handle = await site.start(undisturbed)
            other_handle = await site.start(undisturbed_resume, skipping=False)
            await site.stage.until_state(other_handle, PauseState.PAUSED)
            await other_handle.signal(RESUME)
            await site.stage.skipper.fast_forward(idle_handle)
            handles = [*kept, idle_handle, resuming_handle, undisturbed_handle, other_handle]
            await asyncio.gather(*(handle.result() for handle in handles))

        expected = site.outcome(undisturbed)
        assert [(500, "succeeded")] * 6 == expected["payments"]
        assert expected == site.outcome(charging)
        assert expected == site.outcome(pausing)
        assert expected == site.outcome(idle)
        assert site.outcome(undisturbed_resume) == site.outcome(resuming)


async def test_a_key_made_per_attempt_would_charge_twice(
    temporal_server: TemporalServer, sqlite_url: str, tmp_path: Path
) -> None:
    async with open_site(temporal_server, sqlite_url, tmp_path) as site:
        account = site.account("control")
        with site.held_worker("--key-per-attempt", _hold(CHARGE, account)) as held:
            held.until_ready()
            handle = await site.start(account)
            await site.until_reached(CHARGE)
            held.kill()
        with site.held_worker("--key-per-attempt"):
            await handle.result()

        assert [(500, "succeeded")] * 7 == site.payments(account)


def _hold(moment: str, account: SampleAccount) -> str:
    return f"--hold={moment}:{account.account_id}"
