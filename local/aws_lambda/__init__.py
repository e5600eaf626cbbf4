"""Stands in for Lambda."""
