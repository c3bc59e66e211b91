"""A module for each family of charts: figures in, `Figure` out. Pure.

Names stand above their rows, inside the chart: beside it they would take half of a phone's width.
"""
