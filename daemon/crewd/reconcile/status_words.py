"""How the daemon fares, in one line: for the service manager, ``crewctl status`` and whoever asks for its health."""

from crewd.model.spec import SupervisordOwner
from crewd.reconcile.port import RPC_VERSION
from crewd.reconcile.supervision import Life, Supervision
from crewd.wording import counted


def status_words(supervision: Supervision, picture: str) -> str:
    """Return the status line; ``picture`` is what the crew's summary says."""
    if supervision.stopping:
        return f"stopping; {picture}"
    parts = [part for part in (_of_supervisord(supervision), _of_configuration(supervision)) if part]
    return "; ".join([*parts, f"last known: {picture}" if supervision.stale else picture])


def _of_supervisord(supervision: Supervision) -> str:
    """Return what is wrong with it, or to be waited for; empty where all is well."""
    life, version = supervision.life, supervision.version
    if supervision.silent and life in (Life.SOUGHT, Life.AWAY):
        return "supervisord does not answer"
    if life is Life.AWAY and supervision.wanted.owner is SupervisordOwner.EXTERNAL:
        return "waiting for supervisord"
    if life is Life.AWAY and supervision.why_gone:
        return f"supervisord gone ({supervision.why_gone}), starting it again"
    if life is not Life.UP:
        return "starting supervisord"
    if version is not None and not version.spoken:
        return f"status only: the engine speaks RPC version {version.rpc}, not {RPC_VERSION}"
    if version is not None and version.journal_error:
        return f"the journal cannot be written: {version.journal_error}"
    return "supervisord does not answer" if supervision.silent else ""


def _of_configuration(supervision: Supervision) -> str:
    """Return why supervisord does not have what the file says; empty where it has."""
    if supervision.problems:
        return f"configuration not in force, {counted(len(supervision.problems), 'problem')}"
    if supervision.life is not Life.UP or supervision.version is None:
        return ""
    if supervision.lags:
        return "supervisord has not taken over the configuration"
    return "; ".join(supervision.version.drift)
