"""Models in the store, what is live, and what they answer."""
