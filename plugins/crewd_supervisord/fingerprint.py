"""Which code of ours this is: its version, where it lies, and a fingerprint of its text.

An engine says so, in ``crewd.version``, of what it was loaded from; ``python -P -m crewd_supervisord.fingerprint`` of
what is installed. Where the two differ, supervisord still runs what was there before an upgrade. Rules:

1. What counts is the text of the engine, and of the words and the decisions that it shares with the daemon.
2. It is measured once. The engine does so as it is made, a moment after it was loaded: what is installed later over the
   files changes nothing of the answer.
3. Nothing here raises: what cannot be read has the fingerprint "".
"""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256

import crewd
from crewd import __version__


@dataclass(frozen=True, slots=True)
class Code:
    """Code of ours. ``directory``: of the engine's package; ``fingerprint``: 16 hex digits."""

    version: str
    fingerprint: str
    directory: str
    python: str


@cache
def own_code() -> Code:
    """Return the code that this process was loaded from, as it was when first asked."""
    engine = os.path.dirname(os.path.abspath(__file__))
    return Code(__version__, _fingerprint(engine), engine, platform.python_version())


def _fingerprint(engine: str) -> str:
    shared = os.path.dirname(os.path.abspath(crewd.__file__))
    digest = sha256()
    try:
        digest.update(_read(f"{shared}/__init__.py"))
        for folder in (engine, f"{shared}/model", f"{shared}/policy"):
            for name in sorted(name for name in os.listdir(folder) if name.endswith(".py")):
                digest.update(f"\0{os.path.basename(folder)}/{name}\0".encode())
                digest.update(_read(f"{folder}/{name}"))
    except OSError:
        return ""
    return digest.hexdigest()[:16]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(own_code())) + "\n")
