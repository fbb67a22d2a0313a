"""Every workflow there is: what a worker runs, and what old histories are replayed on."""

from workflows.account_close import AccountClose
from workflows.account_pause import AccountPause
from workflows.reconciliation import PaymentReconciliation

WORKFLOWS: list[type] = [AccountPause, AccountClose, PaymentReconciliation]
