"""Who somebody is: users, log-ins, sessions and API keys."""

from systems.identity.api_keys import ApiKeys
from systems.identity.log_ins import LogIns
from systems.identity.passwords import Passwords
from systems.identity.sessions import Sessions
from systems.identity.system import Identity
from systems.identity.users import User, Users

__all__ = ["ApiKeys", "Identity", "LogIns", "Passwords", "Sessions", "User", "Users"]
