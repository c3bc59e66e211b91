"""The two sides: their files, what they run in, their processes, and what proves that each ran its own code."""
