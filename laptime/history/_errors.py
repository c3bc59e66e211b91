"""What can go wrong with a history."""


class HistoryError(Exception):
    """The store or a file can't be used, or what is asked for isn't there; the message says what to do."""
