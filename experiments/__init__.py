"""What makes the committed numbers that ``make reproduce`` does not.

Run as ``python -m experiments.NAME``.
"""
