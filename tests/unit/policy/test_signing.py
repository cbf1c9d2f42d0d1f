"""Signed requests: what is signed, how the header reads, and what becomes of a signature that is late, new or used."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewd.policy.signing import AHEAD_SEC, SCHEME, WINDOW_SEC, Question, Signatures, Signed, Verdict, read, sign

NOW = 1_800_000_000
SECRET = b"0123456789abcdef0123456789abcdef"
NONCE = "n" * 16
QUESTION = Question("POST", "/api/v1/workers/web/restart?wait=30s", b'{"user":"me"}')


def signed(question: Question = QUESTION, timestamp: int = NOW, nonce: str = NONCE, secret: bytes = SECRET) -> Signed:
    """Return what a header says that was made for this request."""
    found = read(sign(secret, "deploy", question, timestamp, nonce))
    assert found is not None
    return found


def judge(one: Signed, question: Question = QUESTION, now: float = NOW, **options: float) -> Verdict:
    """Return the verdict of one who has seen nothing before."""
    return Signatures(options.get("began", NOW - 1000)).judge(SECRET, one, question, now)


def test_what_is_signed_is_what_the_manual_says() -> None:
    """Computed here by hand, once."""
    body = hashlib.sha256(b'{"user":"me"}').hexdigest()
    text = f"{SCHEME}\nPOST\n/api/v1/workers/web/restart?wait=30s\n{NOW}\n{NONCE}\n{body}"
    wanted = hmac.new(SECRET, text.encode(), "sha256").hexdigest()

    header = f"{SCHEME} key=deploy, timestamp={NOW}, nonce={NONCE}, signature={wanted}"
    assert sign(SECRET, "deploy", QUESTION, NOW, NONCE) == header
    assert judge(signed()) is Verdict.GOOD


@pytest.mark.parametrize(
    "other",
    [
        Question("PUT", QUESTION.target, QUESTION.body),
        Question("POST", "/api/v1/workers/mail/restart?wait=30s", QUESTION.body),
        Question("POST", "/api/v1/workers/web/restart", QUESTION.body),
        Question("POST", "/api/v1/workers/web/restart?wait=31s", QUESTION.body),
        Question("POST", QUESTION.target, b""),
        Question("POST", QUESTION.target, b'{"user":"you"}'),
    ],
)
def test_a_signature_is_for_one_request(other: Question) -> None:
    """Method, path, query and body: whatever is changed, it does not fit."""
    assert judge(signed(), other) is Verdict.FORGED


def test_a_signature_of_another_secret_does_not_fit() -> None:
    """Nor with another time or nonce than was signed."""
    one = signed()

    assert judge(signed(secret=b"x" * 32)) is Verdict.FORGED
    assert judge(Signed(one.key, one.timestamp + 1, one.nonce, one.signature)) is Verdict.FORGED
    assert judge(Signed(one.key, one.timestamp, "m" * 16, one.signature)) is Verdict.FORGED


@pytest.mark.parametrize(
    ("off_sec", "verdict"),
    [
        (0, Verdict.GOOD),
        (WINDOW_SEC, Verdict.GOOD),
        (-AHEAD_SEC, Verdict.GOOD),
        (WINDOW_SEC + 1, Verdict.UNTIMELY),
        (-AHEAD_SEC - 1, Verdict.UNTIMELY),
    ],
)
def test_a_signature_holds_for_five_minutes(off_sec: float, verdict: Verdict) -> None:
    """And a little before its time, for clocks are never quite alike."""
    assert judge(signed(), now=NOW + off_sec) is verdict


@pytest.mark.parametrize("ahead_sec", [-1, 0, AHEAD_SEC / 2, AHEAD_SEC])
def test_what_was_used_before_the_daemon_began_is_not_good_again(ahead_sec: float) -> None:
    """Also where its clock was ahead of ours: what was used is forgotten with the daemon; it has to be signed anew."""
    one = signed(timestamp=int(NOW + ahead_sec))
    assert judge(one, now=NOW) is Verdict.GOOD
    again = Signatures(began=NOW + 0.1)

    assert again.judge(SECRET, one, QUESTION, NOW + 0.1) is Verdict.EARLY
    assert again.judge(SECRET, one, QUESTION, NOW + WINDOW_SEC - 1) is Verdict.EARLY
    assert again.since == NOW + 0.1 + AHEAD_SEC
    assert again.judge(SECRET, signed(timestamp=NOW + 31), QUESTION, NOW + 31) is Verdict.GOOD


def test_a_clock_that_is_set_back_makes_nothing_good_again() -> None:
    """What was used before it went ahead was forgotten meanwhile; that is remembered. What is signed anew is good."""
    signatures = Signatures(NOW - 1000)
    used, ahead = signed(), signed(timestamp=NOW + 3600, nonce="a" * 16)
    assert signatures.judge(SECRET, used, QUESTION, NOW) is Verdict.GOOD
    assert signatures.judge(SECRET, ahead, QUESTION, NOW + 3600) is Verdict.GOOD

    assert signatures.judge(SECRET, used, QUESTION, NOW + 1) is Verdict.UNTIMELY
    assert signatures.doubt(used, NOW + 1) is Verdict.UNTIMELY
    assert signatures.judge(SECRET, signed(timestamp=NOW + 1), QUESTION, NOW + 1) is Verdict.GOOD
    assert signatures.judge(SECRET, ahead, QUESTION, NOW + 3600) is Verdict.REPLAYED


def test_a_nonce_is_good_once_for_as_long_as_it_matters() -> None:
    """Also that of a clock that goes ahead: it matters until the very end of its time."""
    signatures = Signatures(NOW - 1000)
    ahead = signed(timestamp=int(NOW + AHEAD_SEC))

    assert signatures.judge(SECRET, ahead, QUESTION, NOW) is Verdict.GOOD
    for later in (0, 1, WINDOW_SEC, AHEAD_SEC + WINDOW_SEC):
        assert signatures.judge(SECRET, ahead, QUESTION, NOW + later) is Verdict.REPLAYED
    assert signatures.judge(SECRET, ahead, QUESTION, NOW + AHEAD_SEC + WINDOW_SEC + 1) is Verdict.UNTIMELY


def test_a_nonce_of_another_key_is_another_nonce() -> None:
    """Who signs with one cannot use up another's."""
    signatures = Signatures(NOW - 1000)
    other = read(sign(SECRET, "other", QUESTION, NOW, NONCE))
    assert other is not None

    assert signatures.judge(SECRET, signed(), QUESTION, NOW) is Verdict.GOOD
    assert signatures.judge(SECRET, other, QUESTION, NOW) is Verdict.GOOD


def test_a_wrong_signature_uses_no_nonce_up() -> None:
    """Or somebody without the key could keep those who have it out."""
    signatures = Signatures(NOW - 1000)
    one = signed()

    assert signatures.judge(b"x" * 32, one, QUESTION, NOW) is Verdict.FORGED
    assert signatures.judge(SECRET, one, QUESTION, NOW) is Verdict.GOOD


def test_nonces_are_bounded_and_none_that_matters_is_forgotten() -> None:
    """What cannot be remembered is refused; it goes on when time has passed."""
    signatures = Signatures(NOW - 1000, nonces=3)
    verdicts = [signatures.judge(SECRET, signed(nonce=f"{number:016}"), QUESTION, NOW) for number in range(4)]
    later = NOW + WINDOW_SEC + 1

    assert verdicts == [Verdict.GOOD] * 3 + [Verdict.FULL]
    assert signatures.judge(SECRET, signed(nonce="0" * 16), QUESTION, NOW) is Verdict.REPLAYED
    assert signatures.judge(SECRET, signed(timestamp=int(later)), QUESTION, later) is Verdict.GOOD


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer x",
        SCHEME,
        f"{SCHEME} ",
        f"{SCHEME} key=a",
        f"{SCHEME} key=a, timestamp=1, nonce={NONCE}",
        f"{SCHEME} key=a, timestamp=1, nonce={NONCE}, signature={'0' * 63}",
        f"{SCHEME} key=a, timestamp=1, nonce={NONCE}, signature={'G' * 64}",
        f"{SCHEME} key=a, timestamp=-1, nonce={NONCE}, signature={'0' * 64}",
        f"{SCHEME} key=a, timestamp=1.5, nonce={NONCE}, signature={'0' * 64}",
        f"{SCHEME} key=a, timestamp=²²², nonce={NONCE}, signature={'0' * 64}",
        f"{SCHEME} key=a, timestamp={'9' * 13}, nonce={NONCE}, signature={'0' * 64}",
        f"{SCHEME} key=a, timestamp=1, nonce=short, signature={'0' * 64}",
        f"{SCHEME} key=a, timestamp=1, nonce={'x' * 129}, signature={'0' * 64}",
        f"{SCHEME} key=a, key=b, timestamp=1, nonce={NONCE}, signature={'0' * 64}",
        f"{SCHEME} key=a, timestamp=1, nonce={NONCE}, signature={'0' * 64}, more=1",
    ],
)
def test_a_header_that_is_not_what_it_should_be_is_none(header: str) -> None:
    """Nothing is guessed."""
    assert read(header) is None


def test_a_header_may_be_written_as_others_are() -> None:
    """With quotes, without blanks, the scheme in small letters."""
    members = f'key="a",timestamp=1,nonce="{NONCE}",signature="{"0" * 64}"'

    assert read(f"{SCHEME.lower()} {members}") == Signed("a", 1, NONCE, "0" * 64)


@given(st.text(max_size=300))
def test_no_header_breaks_the_reader(text: str) -> None:
    """Whatever stands in it."""
    read(f"{SCHEME} {text}")


@given(st.from_regex(r"[A-Z]{1,8}", fullmatch=True), st.text(max_size=50), st.binary(max_size=100))
def test_what_is_signed_is_good(method: str, target: str, body: bytes) -> None:
    """For every request."""
    question = Question(method, target, body)

    assert judge(signed(question), question) is Verdict.GOOD
