"""Tests of the systems, mostly on both databases."""
