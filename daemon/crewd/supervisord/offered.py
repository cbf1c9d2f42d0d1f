"""What a worker made over the API has to stand beyond what the file's workers have: it is nobody's word but a client's.

Rules:

1. It is rendered by itself first: what is refused concerns it alone.
2. Where another user is taken on, setpriv runs first, as root and with the worker's environment. So no variable may
   reach it that the dynamic loader or the C library acts on: those that they drop for setuid programs (ld.so(8)).
"""

from crewd.model.home import Home
from crewd.model.spec import WorkerSpec
from crewd.supervisord.escape import RefusedError
from crewd.supervisord.program import program
from crewd.supervisord.render import check_name, entry_of
from crewd.supervisord.surroundings import Surroundings

_ACTED_ON_PREFIXES = ("LD_", "GLIBC_", "MALLOC_", "OPENSSL_", "LDAP", "KRB5", "SASL_", "NSS_")
_ACTED_ON = frozenset(
    {
        *("GCONV_PATH", "GETCONF_DIR", "HOSTALIASES", "LOCALDOMAIN", "LOCPATH", "NIS_PATH", "NLSPATH"),
        *("RESOLV_HOST_CONF", "RES_OPTIONS", "TZDIR", "LANGUAGE"),
    }
)


def check_rendering(worker: WorkerSpec, home: Home, surroundings: Surroundings) -> None:
    """Return if the worker can be rendered and may be; raises RefusedError."""
    check_name(worker.worker_id)
    meant = program(worker, 0, home, surroundings)
    entry_of(worker, 0, meant)
    if not meant.setpriv:
        return
    for variable in sorted(meant.environment):
        if acts_on_setpriv(variable):
            why = "may be set in the file alone: it acts on setpriv, which runs as root"
            raise RefusedError(f"environment.{variable}", why)


def acts_on_setpriv(variable: str) -> bool:
    """Return whether the dynamic loader, the C library or what looks groups up acts on a variable."""
    return variable in _ACTED_ON or variable.startswith(_ACTED_ON_PREFIXES)
