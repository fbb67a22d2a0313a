"""Believable accounts to try things on, and ones that must be refused."""

from systems.sample.log_ins import PASSWORD
from systems.sample.seed import SampleAccount, create_account, seed

__all__ = ["PASSWORD", "SampleAccount", "create_account", "seed"]
