"""Why everything of a pause happened: each fee, mail and change with its rule, actor and evidence.

`facts.py` says what has to be known, `gathering.py` gets it together, `lines.py`, `fees.py` and
`dates.py` explain it without asking anybody, and `rules.py` says what the rules are called.
"""

from starter.explaining.dates import answers
from starter.explaining.facts import Evidence, EvidenceKind, Explanation, Facts, Line
from starter.explaining.gathering import gather, meant
from starter.explaining.lines import explained

__all__ = [
    "Evidence",
    "EvidenceKind",
    "Explanation",
    "Facts",
    "Line",
    "answers",
    "explained",
    "gather",
    "meant",
]
