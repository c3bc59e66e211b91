"""The part of a gate that runs inside the two sides' pytest processes."""
