"""The house itself: its documents are true, its imports point one way, its style is kept."""
