"""Makes a model that can be served of a network, and a report on it."""
