"""Wiring: settings, addresses of pages, the worker, the command line and the demo. Nobody imports it."""
