"""Money: the ledger, refunds, what the gateway tells, and what does not agree with it.

Invoices and charges from before get their ledger transactions here; from now on nobody can change
or remove one.

Revision 0002, after 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_FROM_BEFORE = (
    "UPDATE payment_attempts SET gateway = 'sandbox', payment_created_at = began_at"
    " WHERE card_token IS NOT NULL",
    # A fee that was moved is owed since its own invoice, not once more since the plan's.
    """
    INSERT INTO ledger (key, account_id, kind, debit, credit, amount_minor, currency, at,
                        invoice_id)
    SELECT id || ':invoice', account_id, 'invoice', 'receivable',
           CASE kind WHEN 'fee' THEN 'fee_revenue' ELSE 'plan_revenue' END, owed, currency, due_at,
           id
    FROM (
        SELECT i.*, i.amount_minor - COALESCE((
            SELECT SUM(l.amount_minor) FROM invoice_lines AS l
            WHERE l.invoice_id = i.id AND l.kind = 'unpaid_fee'), 0) AS owed
        FROM invoices AS i
    ) AS invoiced
    WHERE owed > 0
    ORDER BY due_at, id
    """,
    """
    INSERT INTO ledger (key, account_id, kind, debit, credit, amount_minor, currency, at,
                        invoice_id, payment_id)
    SELECT a.key || ':charge', i.account_id, 'charge', 'gateway', 'receivable', i.amount_minor,
           i.currency, a.answered_at, i.id, a.payment_id
    FROM payment_attempts AS a JOIN invoices AS i ON i.id = a.invoice_id
    WHERE a.state = 'paid' AND a.payment_id IS NOT NULL
    ORDER BY a.answered_at, a.key
    """,
    """
    INSERT INTO ledger (key, account_id, kind, debit, credit, amount_minor, currency, at,
                        invoice_id)
    SELECT id || ':write_off', account_id, 'write_off', 'write_offs', 'receivable', amount_minor,
           currency, answered_at, id
    FROM invoices WHERE state = 'written_off'
    ORDER BY answered_at, id
    """,
)

_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER ledger_refuses_{verb} BEFORE {verb.upper()} ON ledger"
        " BEGIN SELECT RAISE(ABORT, 'the ledger is only ever added to'); END"
        for verb in ("update", "delete")
    ]
    + [
        # REPLACE removes the row that is in its way without asking the trigger above.
        "CREATE TRIGGER ledger_refuses_replace BEFORE INSERT ON ledger"
        " WHEN EXISTS (SELECT 1 FROM ledger WHERE id = NEW.id OR key = NEW.key)"
        " BEGIN SELECT RAISE(ABORT, 'the ledger is only ever added to'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION refuse_to_change_the_ledger() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the ledger is only ever added to'; END $$",
        "CREATE TRIGGER ledger_refuses_change BEFORE UPDATE OR DELETE ON ledger"
        " FOR EACH ROW EXECUTE FUNCTION refuse_to_change_the_ledger()",
        "CREATE TRIGGER ledger_refuses_truncate BEFORE TRUNCATE ON ledger"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_ledger()",
    ],
}


def upgrade() -> None:
    op.create_table(
        "differences",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "missing_here",
                "missing_there",
                "amount",
                "state",
                "owner",
                "duplicate_date",
                "unknown",
                name="differencekind",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("account_id", sa.String(length=255), nullable=True),
        sa.Column("object_id", sa.String(length=255), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "settled",
                "refunded",
                "acknowledged",
                "vanished",
                name="differencestate",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("differences", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_differences_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_differences_state"), ["state"], unique=False)

    op.create_table(
        "gateway_events",
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("object_id", sa.String(length=255), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("event_id"),
    )
    with op.batch_alter_table("gateway_events", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_gateway_events_handled_at"), ["handled_at"], unique=False
        )

    op.create_table(
        "reconciliations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("gateway", sa.String(length=255), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payments", sa.Integer(), nullable=False),
        sa.Column("refunds", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "card_entries",
        sa.Column("page_id", sa.String(length=255), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("gateway", sa.String(length=255), nullable=False),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("reopens", sa.Boolean(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("open", "entered", "expired", name="pagestate", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("page_id"),
    )
    with op.batch_alter_table("card_entries", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_card_entries_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_card_entries_state"), ["state"], unique=False)

    op.create_table(
        "gateway_customers",
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("gateway", sa.String(length=255), nullable=False),
        sa.Column("customer_id", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "gateway"),
        sa.UniqueConstraint("customer_id"),
    )
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "invoice",
                "charge",
                "refund",
                "write_off",
                "stray_charge",
                "stray_refund",
                "reversal",
                name="ledgerkind",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column(
            "debit",
            sa.Enum(
                "receivable",
                "plan_revenue",
                "fee_revenue",
                "gateway",
                "refunds",
                "write_offs",
                "unallocated",
                name="ledgeraccount",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column(
            "credit",
            sa.Enum(
                "receivable",
                "plan_revenue",
                "fee_revenue",
                "gateway",
                "refunds",
                "write_offs",
                "unallocated",
                name="ledgeraccount",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("invoice_id", sa.String(length=255), nullable=True),
        sa.Column("payment_id", sa.String(length=255), nullable=True),
        sa.Column("refund_id", sa.String(length=255), nullable=True),
        sa.CheckConstraint(
            "kind NOT IN ('charge', 'stray_charge') OR payment_id IS NOT NULL",
            name="ledger_charge_names_its_payment",
        ),
        sa.CheckConstraint(
            "kind NOT IN ('refund', 'stray_refund', 'reversal') OR refund_id IS NOT NULL",
            name="ledger_refund_names_its_refund",
        ),
        sa.CheckConstraint("amount_minor > 0", name="ledger_amount_is_positive"),
        sa.CheckConstraint("debit <> credit", name="ledger_has_two_sides"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoices.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_invoice_id"), ["invoice_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ledger_payment_id"), ["payment_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ledger_refund_id"), ["refund_id"], unique=False)
        batch_op.create_index("ledger_by_account", ["account_id", "id"], unique=False)

    op.create_table(
        "refunds",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("payment_id", sa.String(length=255), nullable=False),
        sa.Column("invoice_id", sa.String(length=255), nullable=True),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("gateway", sa.String(length=255), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "reserved",
                "succeeded",
                "failed",
                name="refundrowstate",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("refund_id", sa.String(length=255), nullable=True),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoices.id"],
        ),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("refund_id"),
    )
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refunds_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refunds_payment_id"), ["payment_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refunds_state"), ["state"], unique=False)

    with op.batch_alter_table("cards", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("gateway", sa.String(length=255), server_default="sandbox", nullable=False)
        )
        batch_op.add_column(sa.Column("customer_id", sa.String(length=255), nullable=True))

    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.add_column(sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("payment_attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("gateway", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("customer_id", sa.String(length=255), nullable=True))
        batch_op.add_column(
            sa.Column("payment_created_at", sa.DateTime(timezone=True), nullable=True)
        )
        batch_op.create_index(
            batch_op.f("ix_payment_attempts_payment_created_at"),
            ["payment_created_at"],
            unique=False,
        )

    for statement in _FROM_BEFORE:
        # A colon before a word would begin a parameter.
        op.execute(statement.replace(":", r"\:"))
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE ledger")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_to_change_the_ledger")
    with op.batch_alter_table("payment_attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_payment_attempts_payment_created_at"))
        batch_op.drop_column("payment_created_at")
        batch_op.drop_column("customer_id")
        batch_op.drop_column("gateway")

    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.drop_column("held_at")

    with op.batch_alter_table("cards", schema=None) as batch_op:
        batch_op.drop_column("customer_id")
        batch_op.drop_column("gateway")

    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refunds_state"))
        batch_op.drop_index(batch_op.f("ix_refunds_payment_id"))
        batch_op.drop_index(batch_op.f("ix_refunds_account_id"))

    op.drop_table("refunds")
    op.drop_table("gateway_customers")
    with op.batch_alter_table("card_entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_card_entries_state"))
        batch_op.drop_index(batch_op.f("ix_card_entries_account_id"))

    op.drop_table("card_entries")
    op.drop_table("reconciliations")
    with op.batch_alter_table("gateway_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_gateway_events_handled_at"))

    op.drop_table("gateway_events")
    with op.batch_alter_table("differences", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_differences_state"))
        batch_op.drop_index(batch_op.f("ix_differences_account_id"))

    op.drop_table("differences")
