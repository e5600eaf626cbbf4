"""Stands in for S3's presigned URLs."""
