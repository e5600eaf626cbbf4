"""Fits a network to examples."""
