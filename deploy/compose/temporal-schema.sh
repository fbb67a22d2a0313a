#!/bin/sh
# Makes Temporal's two databases and brings them to the version of this image. Safe to repeat.
set -eu

for database in temporal temporal_visibility; do
    schema=${database#temporal_}
    tool() {
        temporal-sql-tool --plugin postgres12 --endpoint "$POSTGRES_SEEDS" --port "$DB_PORT" \
            --user "$POSTGRES_USER" --database "$database" "$@"
    }
    tool create-database
    # Leaves tables that are newer alone; the update below brings them to today's.
    tool setup-schema --version 0.0
    tool update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
