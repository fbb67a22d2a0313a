"""The routes of the API, a file per thing that they are about."""
