"""How to reach a payment provider: read from the settings, handed to its adapter."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class StripeAccess:
    """A secret key, and another address than Stripe's own if there is one. Keys are never shown."""

    api_key: str = field(repr=False)
    url: str = ""

    @property
    def is_live(self) -> bool:
        """Whether the key moves real money. A restricted key begins with ``rk_``."""
        return self.api_key.startswith(("sk_live_", "rk_live_"))
