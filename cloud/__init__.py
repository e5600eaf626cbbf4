"""Deploys the stack of template.yaml with SAM, follows its logs, and deletes it."""
