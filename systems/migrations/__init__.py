"""The history of the tables, one idea per version."""
