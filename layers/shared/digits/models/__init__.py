"""Models: in the store, live, and loaded."""
