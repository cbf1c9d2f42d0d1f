"""What is shown of a configuration holds no secret."""

from crewd.model.spec import CrewSpec, EngineSpec, WorkerSpec
from crewd.supervisord.secrets import MASK, masked
from crewd.supervisord.surroundings import Surroundings

SHOWN = {"QUEUE": "mail", "MONKEY": "business", "PATH": "/bin", "KEYBOARD": "us"}
HIDDEN = {"DB_PASSWORD": "a", "API_KEY": "b", "GITHUB_TOKEN": "c", "secret_sauce": "d", "AWS_SECRET_ACCESS_KEY": "e"}


def spec(**environment: str) -> CrewSpec:
    worker = WorkerSpec("web", ("/bin/true",), environment=environment)
    return CrewSpec({"web": worker}, engine=EngineSpec(eventlisteners={"l": {"environment": 'A="b"', "command": "x"}}))


def test_variables_whose_names_tell_are_masked():
    """Others are shown as they are."""
    found, _ = masked(spec(**SHOWN, **HIDDEN), Surroundings())

    assert found.workers["web"].environment == SHOWN | dict.fromkeys(HIDDEN, MASK)


def test_the_password_in_a_url_is_masked():
    """The rest of the URL is shown."""
    found, _ = masked(spec(DATABASE="postgresql://me:hunter2@db/x"), Surroundings())

    assert found.workers["web"].environment["DATABASE"] == f"postgresql://me:{MASK}@db/x"


def test_environment_files_and_listeners_show_names_alone():
    """Whatever an environment file holds is taken for secret."""
    found, surroundings = masked(spec(), Surroundings(environment_files={"web": {"COLOUR": "red"}}))

    assert surroundings.environment_files == {"web": {"COLOUR": MASK}}
    assert found.engine.eventlisteners == {"l": {"environment": MASK, "command": "x"}}
