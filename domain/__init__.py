"""The rules of pausing an account: pure values and functions, no clock, no network, no database."""
