"""Lines out of bytes, forwards and backwards."""

from hypothesis import given
from hypothesis import strategies as st

from crewd.supervisord.log_lines import CUT, LINE_MOST, Splitter, backwards, shown

WRITTEN = st.lists(st.text(alphabet="ab\n", max_size=8).map(str.encode), max_size=12)


@given(WRITTEN)
def test_lines_are_the_same_in_whatever_pieces_they_come(pieces: list[bytes]) -> None:
    """Forwards: all that end in a newline, each once."""
    splitter = Splitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]

    assert lines == b"".join(pieces).split(b"\n")[:-1]


@given(WRITTEN)
def test_lines_are_the_same_in_whatever_blocks_they_are_read(blocks: list[bytes]) -> None:
    """Backwards: all of them, the one that is not ended, too."""
    chunks = list(backwards(reversed(blocks)))
    lines = [line for chunk in reversed(chunks) for line in chunk.split(b"\n")]
    text = b"".join(blocks)

    assert lines == (text.removesuffix(b"\n").split(b"\n") if text else [])


def test_a_line_without_end_is_cut_once() -> None:
    """What comes after the cut is passed over until the line ends: memory is bounded."""
    splitter = Splitter()
    lines = [line for _ in range(100) for line in splitter.feed(b"x" * 5000)]
    lines += splitter.feed(b"x\nnext\n")

    assert [len(shown(line)) for line in lines] == [LINE_MOST + len(CUT), 4]
    assert shown(lines[0]).endswith(CUT)


def test_a_huge_line_is_cut_backwards_too() -> None:
    """Its beginning is what is shown."""
    blocks = [b"first\nhuge" + b"x" * 300_000, *[b"y" * 300_000] * 5, b"z\nlast\n"]
    lines = [line for chunk in reversed(list(backwards(reversed(blocks)))) for line in chunk.split(b"\n")]

    assert [shown(line)[:5] for line in lines] == [b"first", b"hugex", b"last"]
    assert len(shown(lines[1])) == LINE_MOST + len(CUT)


def test_bytes_that_are_no_text_are_replaced() -> None:
    """A binary is shown as well as it can be."""
    assert shown(b"a\xff\x00b").decode() == "a�\x00b"
