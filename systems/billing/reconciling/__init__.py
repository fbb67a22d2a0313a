"""The reconciliation of our record with the gateway's: what differs, and what mends itself (M4).

run          one run, and what operators ask     first_look   both records as they stream past
second_look  one object once more, in full       remedies     what mends itself
rows         the differences, kept               on_record    our side, as the rules compare it
"""

from systems.billing.reconciling.rows import DifferenceView
from systems.billing.reconciling.run import Reconciliation

__all__ = ["DifferenceView", "Reconciliation"]
