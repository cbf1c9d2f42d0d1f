"""Where things lie. Every path of an installation comes from here; plain strings, no I/O."""

from dataclasses import dataclass

SOCKET_PATH_MOST = 107
"""The longest path of a Unix socket, in bytes."""


@dataclass(frozen=True, slots=True)
class Home:
    """The directories of one installation, absolute."""

    etc: str = "/etc/crewd"
    lib: str = "/var/lib/crewd"
    engine: str = "/var/lib/crewd-engine"
    log: str = "/var/log/crewd"
    run: str = "/run/crewd"
    engine_run: str = "/run/crewd-engine"

    @classmethod
    def under(cls, root: str) -> "Home":
        """Return the home that ``CREWD_HOME=root`` means: everything under one directory."""
        root = root.rstrip("/")
        return cls(f"{root}/etc", f"{root}/lib", f"{root}/engine", f"{root}/log", f"{root}/run", f"{root}/run")

    @property
    def config(self) -> str:
        """The operator's file; ``conf.d`` lies beside it."""
        return f"{self.etc}/crewd.yaml"

    @property
    def generations(self) -> str:
        """One folder for each rendering."""
        return f"{self.engine}/generations"

    @property
    def current(self) -> str:
        """The symlink to the rendering in force."""
        return f"{self.engine}/current"

    @property
    def offers(self) -> str:
        """The workers made over the API that were given to crewd-apply last."""
        return f"{self.engine}/api-workers.json"

    @property
    def supervisord_conf(self) -> str:
        """The configuration in force, through the symlink."""
        return f"{self.current}/supervisord.conf"

    @property
    def table(self) -> str:
        """The policy table in force, through the symlink."""
        return f"{self.current}/policy.json"

    @property
    def drop_in(self) -> str:
        """What systemd is told of the rendering in force, through the symlink."""
        return f"{self.current}/systemd.conf"

    @property
    def journal(self) -> str:
        """The engine's journal: ``<generation>/<first sequence>.jsonl``."""
        return f"{self.engine}/journal"

    @property
    def supervisorctl_conf(self) -> str:
        """The secretless file for ``supervisorctl -c``."""
        return f"{self.engine}/supervisorctl.conf"

    @property
    def engine_socket(self) -> str:
        """supervisord's socket."""
        return f"{self.engine_run}/supervisor.sock"

    @property
    def supervisord_pid(self) -> str:
        """supervisord's pid file."""
        return f"{self.engine_run}/supervisord.pid"

    @property
    def supervisord_log(self) -> str:
        """supervisord's own log."""
        return f"{self.log}/supervisord.log"

    @property
    def worker_logs(self) -> str:
        """Where ``stdout_logfile: auto`` goes."""
        return f"{self.log}/workers"

    @property
    def socket(self) -> str:
        """The daemon's socket: its API."""
        return f"{self.run}/crewd.sock"

    @property
    def memory(self) -> str:
        """What the daemon's own part of the configuration said when it was right last."""
        return f"{self.lib}/last-good.json"

    @property
    def lock(self) -> str:
        """The daemon's lock: one daemon per state directory."""
        return f"{self.lib}/crewd.lock"
