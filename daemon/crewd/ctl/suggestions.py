"""Did you mean …?"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from crewd.ctl.client import Client
from crewd.ctl.failures import RequestError
from crewd.wording import plain

MOST = 3


def suggestion(client: Client, names: Sequence[str]) -> str:
    """Return what may have been meant by the names, to be put behind the complaint; "" where nothing is near."""
    try:
        workers = client.get("/workers")["workers"]
    except RequestError:
        return ""
    known = [worker["worker_id"] for worker in workers]
    known += [one["instance"] for worker in workers for one in worker["instances"]]
    found = near(names, known)
    return f"; did you mean {' or '.join(map(plain, found))}?" if found else "; `crewctl status` lists all"


def near(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return the known names that are most like the unknown ones."""
    found = [match for name in names for match in get_close_matches(name, known, MOST)]
    return list(dict.fromkeys(found))[:MOST]
