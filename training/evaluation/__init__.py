"""Measures what a model answers."""
