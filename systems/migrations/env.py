"""What Alembic runs: the versions, on the connection that `systems.migrate` opened."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, text

from systems.tables import Base, UtcDateTime

# A migration that waits for a lock makes everybody behind it wait too: it gives up soon, and is run
# again. Nothing here should ever need a minute.
TIMEOUTS = ("SET LOCAL lock_timeout = '5s'", "SET LOCAL statement_timeout = '60s'")
# Two releases that start at once take turns. Any number will do that nobody else uses.
ADVISORY_LOCK = 7_251_961


def run(connection: Connection) -> None:
    """Run what Alembic was asked for, in the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        for statement in TIMEOUTS:
            connection.execute(text(statement))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite changes a column by copying its table.
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


def render_item(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Write our own type as what it is in the database: versions must not import today's tables."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


run(context.config.attributes["connection"])
