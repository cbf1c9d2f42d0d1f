"""crewd keeps a crew of workers running."""

__version__ = "0.1.0"
