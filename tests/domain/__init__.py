"""The rules, checked against oracles that do not share their code."""
