"""Stock supervisord: native autorestart, one ``[program:]`` for each worker."""

import sys
from functools import cached_property
from socket import AF_UNIX, socket
from typing import Any
from xmlrpc.client import ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from bench.peers.peer import Peer

HEAD = """\
[unix_http_server]
file={folder}/supervisor.sock
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
minfds={minfds}
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """\
[program:{name}]
command={command}
autorestart=true
startsecs=0
stdout_logfile={out}
stderr_logfile={err}
"""


class Stock(Peer):
    """``python -m supervisor.supervisord``."""

    name = "stock"
    slow = True
    most = 1000

    def prepare(self) -> None:
        """Write supervisord.conf."""
        site = self.site
        parts = [HEAD.format(folder=site.folder, minfds=max(1024, 5 * site.n + 200))]
        parts += [self._program(slot) for slot in range(site.n)]
        (site.folder / "supervisord.conf").write_text("".join(parts))
        (site.folder / "logs").mkdir()

    def command(self) -> list[str]:
        """Stock's own entry point."""
        return [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", f"{self.site.folder}/supervisord.conf"]

    def ask_all(self) -> None:
        """``supervisor.getAllProcessInfo``."""
        assert len(self.rpc.supervisor.getAllProcessInfo()) == self.site.n

    def ask_one(self) -> bool:
        """``supervisor.getProcessInfo``."""
        self.rpc.supervisor.getProcessInfo(self.site.worker(self.site.n // 2))
        return True

    def listens(self) -> bool:
        """Return whether its socket takes connections."""
        with socket(AF_UNIX) as client:
            return client.connect_ex(self.socket) == 0

    @cached_property
    def rpc(self) -> Any:
        """A client of its socket, for one thread at a time."""
        return ServerProxy("http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{self.socket}"))

    @property
    def socket(self) -> str:
        """Where it listens."""
        return f"{self.site.folder}/supervisor.sock"

    def _program(self, slot: int) -> str:
        name = self.site.worker(slot)
        out, err = (
            f"{self.site.folder}/logs/{name}.{stream}.log" if self.site.logs else "NONE" for stream in ("out", "err")
        )
        return PROGRAM.format(name=name, command=" ".join(self.site.command(slot)), out=out, err=err)
