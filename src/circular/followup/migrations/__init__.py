"""Migrations of the closing clerk."""
