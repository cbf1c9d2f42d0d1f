"""What this machine says to a crew that no file describes."""

from crewd.errors import Problem
from crewd.model.home import Home
from crewd.model.spec import CrewSpec
from crewd.supervisord.surroundings import Surroundings, gather


def nowhere(worker_id: str, key: str) -> Problem:
    """Return the place of a setting that stands in no file."""
    return Problem("crew.yaml", 0, 0, f"workers.{worker_id}.{key}", "")


def looked_up(spec: CrewSpec, home: Home) -> Surroundings:
    """Return what the crew's workers need of this machine."""
    return gather(spec, home, nowhere)
