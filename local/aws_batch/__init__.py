"""Stands in for AWS Batch."""
