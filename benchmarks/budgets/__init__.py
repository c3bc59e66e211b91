"""Scripts that measure what is promised and print the figure beside the promise; run one, or all:

    python -m benchmarks.budgets replay schedule primes fidelity

Unlike the benchmarks they use laptime's parts directly: they measure the instrument, not a workload.
"""
