"""The local stack on one machine: a Temporal dev server, its Web UI, a worker, sample data."""
