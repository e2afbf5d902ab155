"""Measure what a person waits for, side by side in one run, and print medians, ratios and budgets.

Each pair runs in turn, A B A B …, so that a machine that slows down slows both. Nothing here is asserted: a figure is
read by people, and a budget that is missed is marked.
"""
