"""The steps of a pause as Temporal activities: thin, and safe to run any number of times."""
