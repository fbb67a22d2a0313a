<%!
    def without_remarks(commands):
        lines = [line for line in (commands or "pass").splitlines() if "# ###" not in line]
        return "\n".join(lines).strip()
%>\
"""${message[:1].upper()}${message[1:]}.

Revision ${up_revision}, after ${down_revision or "nothing"}.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision: str = ${repr(up_revision)}
down_revision: str | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    ${without_remarks(upgrades)}


def downgrade() -> None:
    ${without_remarks(downgrades)}
