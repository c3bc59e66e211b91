"""Benchmarks of every workload and variant, and scripts that print the figures of the budgets."""
