"""The saved queries: lists of runs in Temporal's Web UI that an operator opens by name.

`account-pause up` prints links to them, `docs/web-ui.md` has the same as a table.
"""

from dataclasses import dataclass
from urllib.parse import quote

from domain.names import ACCOUNT_PAUSE, SearchAttribute

RUNNING = "ExecutionStatus='Running'"


@dataclass(frozen=True)
class SavedQuery:
    """A list of runs; `name` completes "Show me"."""

    name: str
    query: str


SAVED_QUERIES = (
    SavedQuery("open pauses", f"WorkflowType='{ACCOUNT_PAUSE}' AND {RUNNING}"),
    SavedQuery("who needs an operator", f"{SearchAttribute.NEEDS_OPERATOR}=true AND {RUNNING}"),
    SavedQuery("unpaid fees", f"{SearchAttribute.PAST_DUE}=true AND {RUNNING}"),
    SavedQuery(
        "on the way in or out",
        f"{SearchAttribute.PAUSE_STATE} IN ('pausing', 'resuming', 'closing') AND {RUNNING}",
    ),
    SavedQuery("closed accounts", f"{SearchAttribute.PAUSE_STATE}='closed'"),
    SavedQuery("runs that are halted", f"TemporalReportedProblems IS NOT NULL AND {RUNNING}"),
    SavedQuery("runs that broke", "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')"),
)


def of_account(account_id: str) -> str:
    """The query for every run of one account."""
    return f"{SearchAttribute.ACCOUNT_ID}='{account_id}'"


def path_of(query: str, namespace: str = "default") -> str:
    """Where the Web UI shows the list, below its own address."""
    return f"namespaces/{quote(namespace, safe='')}/workflows?query={quote(query, safe='')}"
