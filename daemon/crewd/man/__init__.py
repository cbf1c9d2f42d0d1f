"""The man pages: made from the commands that `--help` explains, and from the keys that the schema is made of.

``python -m crewd.man DIRECTORY`` writes them; those in ``packaging/man`` are held to it by a test. So a page says what
the program says, and nothing of it is written twice.
"""

from crewd.man.pages import PAGES

__all__ = ["PAGES"]
