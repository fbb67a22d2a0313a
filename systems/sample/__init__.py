"""Believable accounts to try things on, and ones that must be refused."""

from systems.sample.seed import SampleAccount, create_account, seed

__all__ = ["SampleAccount", "create_account", "seed"]
