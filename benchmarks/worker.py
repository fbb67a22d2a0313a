"""The worker that is measured, a process of its own: the product's worker, and the plain one."""

import argparse
import asyncio
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.plain import TASK_QUEUE, Plain, nothing
from benchmarks.world import MEMORY, Step, noting_fees, steps_in_memory, steps_on
from worker import IDENTITY, build_worker

SLOTS = 20


async def main(arguments: argparse.Namespace) -> None:
    """Run until SIGTERM."""
    plugins = [SimplePlugin("no sandbox", workflow_runner=UnsandboxedWorkflowRunner())]
    client = await Client.connect(
        arguments.address,
        data_converter=pydantic_data_converter,
        identity=IDENTITY,
        plugins=plugins if arguments.unsandboxed else [],
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with ThreadPoolExecutor(SLOTS) as executor:
        ours = build_worker(
            client,
            _steps(arguments),
            executor,
            slots=SLOTS,
            cached_workflows=arguments.cached_workflows,
            graceful_shutdown=timedelta(seconds=5),
        )
        plain = Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[Plain],
            activities=[nothing],
            activity_executor=executor,
            max_concurrent_activities=SLOTS,
            max_cached_workflows=arguments.cached_workflows,
        )
        async with ours, plain:
            # What the start has cost is told apart from what the work costs.
            print(f"ready {time.process_time()}", flush=True)
            await stop.wait()


def _steps(arguments: argparse.Namespace) -> list[Step]:
    if arguments.systems == MEMORY:
        return steps_in_memory(arguments.accounts)
    is_without = arguments.without_billing
    return [noting_fees(each, without_billing=is_without) for each in steps_on(arguments.systems)]


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--systems", default=MEMORY)
    parser.add_argument("--accounts", type=int, default=0)
    parser.add_argument("--cached-workflows", type=int, default=20_000)
    parser.add_argument("--unsandboxed", action="store_true")
    parser.add_argument("--without-billing", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(parsed()))
