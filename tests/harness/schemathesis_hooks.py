"""What schemathesis leaves out.

- Requests that follow for ever, for it reads every answer to its end.
- What it takes for valid and is not: version 4.32 fills a header with the invalid ``0`` or ``null`` of an earlier case
  where it combines optional parameters, and calls that a valid request.
- Of a configuration's schema, that no member may stand together with its alias (``allOf`` of ``not``): it can make no
  value for that. Two names for one thing are refused all the same.
"""

import re
from typing import Any

import schemathesis

from crewd.api.events import POSITION_PATTERN
from crewd.api.parameters import IF_MATCH_PATTERN

HEADERS = {"last-event-id": POSITION_PATTERN, "if-match": IF_MATCH_PATTERN}
NO = {"none", "false", "0", "no", "off", "n", "f"}


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """Return whether this request is to be made."""
    query = case.query if isinstance(case.query, dict) else {}
    valid = case.meta is None or case.meta.generation.mode.is_positive
    given = {name: value for name, value in (case.headers or {}).items() if name in HEADERS}
    mistaken = any(not re.fullmatch(HEADERS[name], str(value)) for name, value in given.items())
    return str(query.get("follow")).lower() in NO and not (valid and mistaken)


@schemathesis.hook
def before_load_schema(_context: Any, document: dict[str, Any]) -> None:
    """Leave out what no value can be made for."""
    for one in document["components"]["schemas"].values():
        one.pop("allOf", None)
