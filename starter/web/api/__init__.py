"""The HTTP API under `/api/v1`, for the product's backend and for whoever integrates with it."""

from starter.web.api.describing import describe
from starter.web.api.router import api_routes

__all__ = ["api_routes", "describe"]
