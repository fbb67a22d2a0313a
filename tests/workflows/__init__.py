"""The workflows on the real server, with the real systems."""
