"""Installs what the rest needs. It runs before anything is installed, on the standard library alone."""
