"""Measure concurrent Python over recorded HTTP, and tell truthfully when a change made it slower.

PYTEST_DONT_REWRITE: a gate's sides import this before pytest; where warnings are errors, pytest would not start.
"""
