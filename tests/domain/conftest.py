"""Hypothesis without its stop watch: on a shared machine a slow example says nothing."""

from hypothesis import settings

settings.register_profile("domain", deadline=None, print_blob=True)
settings.load_profile("domain")
