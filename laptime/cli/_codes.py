"""What the commands end with."""

OK, FAILED, CANNOT = 0, 1, 2
"""Nothing failed; something did; it could not be done or measured."""
SKIP, ABORT = 125, 128
"""What `git bisect run` takes for: nothing can be said of this commit; end the search."""
