"""What a pause costs, measured: `make bench`. Never packaged, and never part of the tests."""
