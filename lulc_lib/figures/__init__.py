"""Data in, matplotlib Figure out. Only notebooks and the command line import this package."""
