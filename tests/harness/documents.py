"""The authors' documents, byte copies in tests/documents; the examples in them, and in pages of ours."""

import re
from pathlib import Path

from markdown_it import MarkdownIt

DOCUMENTS = Path(__file__).parents[1] / "documents"
RESTART = DOCUMENTS / "000-worker-manual-restart.md"
LIFECYCLE = DOCUMENTS / "001-worker-lifecycle.md"
DIGESTS = {
    RESTART: "335e004887d7bf8a73a3560c67978e764f5e4421fcb91950cba9a08f42e6fe9c",
    LIFECYCLE: "e80de7882439042c6945861f7717d32b9ae3bb757ee21ac67aef061e0b46f952",
}
"""SHA-256 of each, as its author wrote it."""


def commands(document: Path) -> list[str]:
    """Return what a page of ours has typed in, in order; a line that ends with a backslash goes on."""
    typed = [re.findall(r"^[$#] ((?:.*\\\n)*.*)$", text, re.MULTILINE) for text in examples(document, "console")]
    return [command for block in typed for command in block]


def examples(document: Path, language: str) -> list[str]:
    """Return the document's code blocks in a language, in order."""
    parsed = MarkdownIt("commonmark").parse(document.read_text(encoding="utf-8", errors="replace"))
    return [token.content for token in parsed if token.type == "fence" and token.info.strip() == language]
