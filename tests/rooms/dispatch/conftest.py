"""The post office's scene, for the tests of this room."""

from post_office import release, sink

__all__ = ["release", "sink"]
