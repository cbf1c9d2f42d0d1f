"""The engine: what runs inside supervisord. See docs/explanation/engine.md for the whole picture."""
