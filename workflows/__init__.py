"""The deterministic story of a pause and of a close."""
