"""Stripe behind the port `Gateway`, through its official client."""

from systems.gateways.stripe.gateway import StripeGateway

__all__ = ["StripeGateway"]
