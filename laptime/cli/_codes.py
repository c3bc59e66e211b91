"""What the commands end with."""

OK, FAILED, CANNOT = 0, 1, 2
"""Nothing failed; something did; it could not be done or measured."""
