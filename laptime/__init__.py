"""Measure concurrent Python over recorded HTTP, and tell truthfully when a change made it slower."""
