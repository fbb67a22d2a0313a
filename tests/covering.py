"""Matrices of cases of which `make test` takes some and `make test-thorough` the rest."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest


def covering(*axes: Sequence[Any]) -> list[Any]:
    """All combinations; those beyond a diagonal that has each value once are marked thorough."""
    diagonal = {
        tuple(row % len(axis) for axis in axes) for row in range(max(len(axis) for axis in axes))
    }
    places = product(*(range(len(axis)) for axis in axes))
    return [
        pytest.param(
            *(axis[place] for axis, place in zip(axes, cell, strict=True)),
            marks=() if cell in diagonal else pytest.mark.thorough,
        )
        for cell in places
    ]


def leading(values: Sequence[Any], count: int = 1) -> list[Any]:
    """All values; those after the first `count` are marked thorough."""
    return [
        pytest.param(value, marks=() if place < count else pytest.mark.thorough)
        for place, value in enumerate(values)
    ]
