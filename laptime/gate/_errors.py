"""What is raised."""


class GateError(RuntimeError):
    """Nothing can be decided; the message says what is wrong, where, and what to do."""
