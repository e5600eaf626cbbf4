"""The `digits` command."""
