"""What is measured: each module is one workload, or a few of a kind, with its variants side by side.

This file imports nothing: a spawned worker imports it, and should pay for its own workload only.
"""
