"""The keys of ``crewd``: the daemon, and what workers that are made over its API may do."""

from crewd.config import access_kinds, accounts, quantities
from crewd.config.compound import Nested, Several
from crewd.config.key import Key, Section
from crewd.config.keys.life import INSTANCES_MOST
from crewd.config.kinds import AbsolutePath, Choice, Duration, Parsed, Size, Text, Whole
from crewd.config.worker_kinds import ID_MOST, ID_PATTERN, Account
from crewd.model.spec import ApiWorkers, DaemonSpec, OnShutdown, SupervisordOwner

SIZE_MOST = 2**50
_LISTEN = Parsed(
    "an address and a port, or none",
    quantities.listen,
    {"type": "string", "pattern": quantities.LISTEN_PATTERN},
    lambda address: address or "none",
)
_DATABASE = Parsed(
    "a database", quantities.database, {"type": "string", "pattern": quantities.DATABASE_PATTERN}, secret=True
)

API_WORKERS = Section(
    "crewd.api_workers",
    "What workers that are made over the API may do. See [the how-to](../how-to/configure-over-the-api.md).",
    ApiWorkers(),
    (
        Key(
            "users",
            Several(Account(accounts.USERS), "[mail, nobody]"),
            "users",
            "Who they may run as; the first one is taken where neither the worker nor `defaults` names a user. None: "
            "nobody, so there are no such workers; or supervisord's own user, where that is not root.",
            example="[nobody]",
        ),
        Key(
            "roots",
            Several(AbsolutePath(), "[/srv/workers]"),
            "roots",
            "Below which directories their `directory`, `environment_file` and log files lie. None: none of these may "
            "be a path.",
            example="[/srv/workers]",
        ),
        Key(
            "instances",
            Whole(0, INSTANCES_MOST),
            "instances",
            "How many instances all of them together may have. What is beyond it, by the order of the names, is left "
            "out.",
        ),
    ),
    otherwise="it has users, roots and instances",
)

CREWD = Section(
    "crewd",
    "The daemon.",
    DaemonSpec(),
    (
        Key(
            "on_shutdown",
            Choice(OnShutdown),
            "on_shutdown",
            "What `crewd run` does, when it ends, to the supervisord that it started: stop it with all its workers, or "
            "keep both running. One that it found running is always kept.",
        ),
        Key(
            "supervisord",
            Choice(SupervisordOwner),
            "supervisord",
            "Who starts supervisord: the daemon itself (own), or somebody else, such as a systemd unit (external).",
        ),
        Key(
            "listen",
            _LISTEN,
            "listen",
            "Where the API is served over TCP; `CREWD_LISTEN` goes before it. Beyond the loopback interface only with "
            "`tls`. A change takes effect when the daemon is started next.",
        ),
        Key(
            "tls",
            access_kinds.TLS,
            "tls",
            "What TLS is spoken with on `listen`; unset: plain HTTP. Changed files take effect at a reload; "
            "whether TLS is spoken at all is decided when the daemon starts.",
            example="{certificate: /etc/crewd/tls/crewd.pem, key: /etc/crewd/tls/crewd.key}",
        ),
        Key(
            "allowed_hosts",
            access_kinds.HOSTS,
            "allowed_hosts",
            "By which names the API may be asked for over TCP, beside localhost, 127.0.0.1, [::1] and the address in "
            "`listen`.",
        ),
        Key(
            "roles",
            access_kinds.ROLES_OF,
            "roles",
            "What others than root and the daemon's own user may do, by group or by certificate: viewer, operator or "
            "admin.",
        ),
        Key(
            "hmac_keys",
            access_kinds.HMAC_KEYS,
            "hmac_keys",
            "Keys that programs sign their requests with, by name. The secrets stand in files of their own.",
        ),
        Key(
            "trusted_proxies",
            access_kinds.NETWORKS,
            "trusted_proxies",
            "Whose `X-Forwarded-For` is believed, for limits and for the audit; never for who somebody is.",
        ),
        Key(
            "database",
            _DATABASE,
            "database",
            "Where what happened is kept: sqlite, a file in the state directory, or the URL of a PostgreSQL database "
            "that is this crew's alone; `CREWD_DATABASE_URL` goes before it. [What a URL may "
            "say](../how-to/use-postgresql.md#what-the-url-may-say). A change takes effect when the daemon is started "
            "next.",
        ),
        Key(
            "retention_sec",
            Duration(above=True, endless=True),
            "retention_sec",
            "How long events are kept in the database. Totals are kept for ever.",
        ),
        Key(
            "retention_bytes",
            Size(SIZE_MOST),
            "retention_bytes",
            "How much space the events may take in the database, about; 0: any. The oldest go first.",
        ),
        Key(
            "audit_retention_sec",
            Duration(above=True, endless=True),
            "audit_retention_sec",
            "How long entries of the audit are kept in the database.",
        ),
        Key(
            "audit_retention_bytes",
            Size(SIZE_MOST),
            "audit_retention_bytes",
            "How much space the audit may take in the database, about; 0: any. The oldest entries go first.",
        ),
        Key(
            "sample_interval_sec",
            Duration(least=1.0, most=3600.0),
            "sample_interval_sec",
            "How often CPU, memory and open files of the workers are looked at.",
        ),
        Key(
            "default_worker",
            Text("the id of a worker", ID_PATTERN, ID_MOST),
            "default_worker",
            "The worker that `POST /restart` means where the request names none; it needs a `reset`. Unset: the only "
            "worker that has one.",
            example="example",
        ),
        Key(
            "api_workers",
            Nested(API_WORKERS),
            "api_workers",
            "What workers made over the API may do: who they run as, where their files lie, how many there may be.",
            example="{users: [nobody], roots: [/srv/workers]}",
        ),
    ),
)
