"""Stands in for API Gateway."""
