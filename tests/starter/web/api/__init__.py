"""The HTTP API, asked as a backend asks it."""
