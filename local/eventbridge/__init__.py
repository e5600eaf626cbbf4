"""Stands in for EventBridge, and for S3's events."""
