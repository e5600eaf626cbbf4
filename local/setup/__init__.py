"""Installs the packages that all other code needs, with the standard library alone."""
