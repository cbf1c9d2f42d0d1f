"""The authors' documents, byte copies in tests/documents, and the examples in them."""

from pathlib import Path

from markdown_it import MarkdownIt

DOCUMENTS = Path(__file__).parents[1] / "documents"
RESTART = DOCUMENTS / "000-worker-manual-restart.md"
LIFECYCLE = DOCUMENTS / "001-worker-lifecycle.md"


def examples(document: Path, language: str) -> list[str]:
    """Return the document's code blocks in a language, in order."""
    parsed = MarkdownIt("commonmark").parse(document.read_text(encoding="utf-8", errors="replace"))
    return [token.content for token in parsed if token.type == "fence" and token.info.strip() == language]
