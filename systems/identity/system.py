"""Identity on the database; each part of it is told next door."""

from systems.db import Database
from systems.identity.api_keys import ApiKeys
from systems.identity.log_ins import LogIns
from systems.identity.passwords import Passwords
from systems.identity.sessions import Sessions
from systems.identity.users import Users


class Identity:
    """Who may come in, and who is in."""

    def __init__(self, db: Database, passwords: Passwords | None = None) -> None:
        """Keep everything in `db`."""
        passwords = passwords or Passwords()
        self.users = Users(db, passwords)
        self.log_ins = LogIns(db, passwords)
        self.sessions = Sessions(db)
        self.api_keys = ApiKeys(db)
