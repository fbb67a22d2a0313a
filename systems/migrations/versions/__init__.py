"""The versions, each able to run while the release before it is still at work."""
