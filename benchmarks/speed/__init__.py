"""Measures this harness beside the scripts people use today: ``python -m benchmarks.speed``.

Peer and ours run pair by pair, each in a process of its own, on the same model, data, precision
and threads; their answers are compared item by item.
"""
