"""Checking whole programs: files, workspaces, reports."""
