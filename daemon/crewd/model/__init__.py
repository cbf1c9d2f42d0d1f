"""The words: frozen dataclasses for what is desired, what is observed, what happened. No I/O, no clock."""
