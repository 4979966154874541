"""Circular runs an institution's mass-mail procedure from the request to the proof."""

__version__ = "0.1.0"
