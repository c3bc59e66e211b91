"""Statistics: numbers in, numbers out. Pure."""
