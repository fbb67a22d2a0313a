"""Several processes that refund the same charge at the same moment; each prints the refund's id."""

import os
import sys
from datetime import date, datetime

from systems.billing.refunds import Refunds
from systems.db import Database, make_engine
from systems.gateways.sandbox import SandboxGateway

PROCESSES = 5


def main(url: str, account_id: str, billing_on: str, at: str) -> int:
    """Fork, refund in each child, and see that all of them came to their end."""
    children = []
    for _ in range(PROCESSES):
        child = os.fork()
        if child == 0:
            refund(url, account_id, date.fromisoformat(billing_on), datetime.fromisoformat(at))
            os._exit(0)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def refund(url: str, account_id: str, billing_on: date, at: datetime) -> None:
    engine = make_engine(url, 1)
    refunds = Refunds(Database(engine), SandboxGateway(make_engine(url, 1)))
    done = refunds.refund(account_id, billing_on, actor="operator", reason="at once", at=at)
    print(done.refund_id, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
