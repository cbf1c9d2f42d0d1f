"""Every mistake is told at its place, with what to do about it."""

# ruff: noqa: E501 - a message stands in one line, as it is printed

import pytest
from supervisor.events import EventTypes

from crewd.config.listener_options import EVENTS
from crewd.config.quantities import DATABASE_PARAMETERS

FLAG = "expects true or false"
DURATION = "write seconds, or a number with ms, s, m, h, d or w such as 500ms or 1min 30s"
SIZE = "write bytes, or a whole number with KB, MB, GB, KiB, MiB or GiB; all count in steps of 1024"
STATUS = "expects a number from 0 to 255 or a signal's name such as SIGTERM"
LOG = "expects auto, none, or an absolute path (in which {instance} stands for the instance's name)"
SHELL = "and no shell is used: quote it, or write [sh, -c, '…'] to have a shell"
CUT = "holds white space at an end, or before ; or #, which supervisord cuts: change it"
LISTEN = "expects an address and a port, or none"
ADDRESS = "write none, or an address and a port such as 127.0.0.1:3000 or [::1]:3000"
PARAMETERS = f"its URL may set {', '.join(sorted(DATABASE_PARAMETERS))} alone"
ENGINE_KEY = "sslkey in its URL names a file, without a colon: what ENGINE:KEY names is code"
UNKNOWN = "unknown key: remove it; `crewd schema --sample` shows all there are"

# a setting of the worker "w", as it stands after four spaces; column, path below workers.w, message
SETTINGS = [
    ("restart: on-watchdog", 14, "restart", "on-watchdog: needs a watchdog, which this version does not have"),
    (
        "restart: maybe",
        14,
        "restart",
        "expects no, always, on-success, on-failure, on-abnormal or on-abort, found maybe",
    ),
    (
        "restart: false",
        14,
        "restart",
        "expects no, always, on-success, on-failure, on-abnormal or on-abort, found false",
    ),
    ("restart_sec: -1", 18, "restart_sec", f"expects a duration, found -1: {DURATION}"),
    ("restart_sec: 10 parsecs", 18, "restart_sec", f'expects a duration, found "10 parsecs": {DURATION}'),
    ("restart_sec: 10M", 18, "restart_sec", f"expects a duration, found 10M: {DURATION}"),
    ("restart_sec: 1min 30", 18, "restart_sec", f'expects a duration, found "1min 30": {DURATION}'),
    ("restart_sec: 22:22", 18, "restart_sec", f'expects a duration, found "22:22": {DURATION}'),
    ("restart_sec: .nan", 18, "restart_sec", f"expects a duration, found .nan: {DURATION}"),
    ("restart_sec: .inf", 18, "restart_sec", f"expects a duration, found .inf: {DURATION}"),
    ("restart_sec: 1e9", 18, "restart_sec", f"expects a duration, found 1e9: {DURATION}"),
    ("restart_sec: 1_000", 18, "restart_sec", f"expects a duration, found 1_000: {DURATION}"),
    ("restart_sec: true", 18, "restart_sec", f"expects a duration, found true: {DURATION}"),
    ("restart_sec: [1]", 18, "restart_sec", "expects a duration, found a list"),
    ("restart_sec: {a: 1}", 18, "restart_sec", "expects a duration, found a mapping"),
    ("restart_sec: 3651d", 18, "restart_sec", "is too long: at most 3650d, found 3651d"),
    ("restart_sec: infinity", 18, "restart_sec", "is too long: at most 3650d, found infinity"),
    ("restart_sec: null", 18, "restart_sec", "is empty: expects a duration"),
    ("restart_sec:", 17, "restart_sec", "is empty: expects a duration"),
    ("start_success_sec: 0", 24, "start_success_sec", "expects a duration above 0, found 0"),
    ("restart_reset_sec: 0s", 24, "restart_reset_sec", "expects a duration above 0 or infinity, found 0s"),
    ("timeout_stop_sec: 25h", 23, "timeout_stop_sec", "is too long: at most 1d, found 25h"),
    ("restart_steps: 101", 20, "restart_steps", "expects a whole number from 0 to 100, found 101"),
    ("start_limit_burst: 1001", 24, "start_limit_burst", "expects a whole number from 0 to 1000, found 1001"),
    ("start_limit_burst: 1.5", 24, "start_limit_burst", "expects a whole number from 0 to 1000, found 1.5"),
    ("start_limit_burst: 010", 24, "start_limit_burst", "expects a whole number from 0 to 1000, found 010"),
    ("start_limit_burst: 0x1", 24, "start_limit_burst", "expects a whole number from 0 to 1000, found 0x1"),
    ('start_limit_burst: "3"', 24, "start_limit_burst", 'expects a whole number from 0 to 1000, found "3"'),
    ("instances: 0", 16, "instances", "expects a whole number from 1 to 10000, found 0"),
    ("instances: 10001", 16, "instances", "expects a whole number from 1 to 10000, found 10001"),
    (f"instances: {'9' * 5000}", 16, "instances", f'expects a whole number from 1 to 10000, found "{"9" * 60}…"'),
    ("autostart: yes", 16, "autostart", f"{FLAG}, found yes"),
    ("autostart: off", 16, "autostart", f"{FLAG}, found off"),
    ("autostart: True", 16, "autostart", f"{FLAG}, found True"),
    ('autostart: "true"', 16, "autostart", f'{FLAG}, found "true"'),
    ("autostart: 1", 16, "autostart", f"{FLAG}, found 1"),
    ("priority: -1", 15, "priority", "expects a whole number from 0 to 9999, found -1"),
    ("port: 65536", 11, "port", "expects a whole number from 1 to 65535, found 65536"),
    (
        "success_exit_status: 2",
        26,
        "success_exit_status",
        "expects a list of exit codes and signals such as [2, SIGTERM], found 2",
    ),
    ("success_exit_status: [256]", 27, "success_exit_status[0]", "expects a whole number from 0 to 255, found 256"),
    ("success_exit_status: [1, SIGFOO]", 30, "success_exit_status[1]", f"{STATUS}, found SIGFOO"),
    ("restart_force_exit_status: [term]", 33, "restart_force_exit_status[0]", f"{STATUS}, found term"),
    ('restart_prevent_exit_status: ["3"]', 35, "restart_prevent_exit_status[0]", f'{STATUS}, found "3"'),
    ("directory: srv", 16, "directory", "expects an absolute path, found srv"),
    ("directory: '/srv ;x'", 16, "directory", CUT),
    ("directory: '/srv '", 16, "directory", CUT),
    ('directory: "/srv\\n[program:evil]"', 16, "directory", "holds a line break, which no value may"),
    ('directory: "/srv\\0"', 16, "directory", "holds a NUL, which no value may"),
    ("environment: [A=b]", 18, "environment", "expects a mapping of variables such as {NAME: text}, found a list"),
    (
        "environment: {A-B: x}",
        19,
        "environment.A-B",
        "is no name for variables: it must match ^[A-Za-z_][A-Za-z0-9_]*$",
    ),
    (
        'environment: {"A\\nB": x}',
        19,
        'environment."A\\nB"',
        "is no name for variables: it must match ^[A-Za-z_][A-Za-z0-9_]*$",
    ),
    (
        "environment: {CREWD_X: x}",
        19,
        "environment.CREWD_X",
        "is reserved: names that begin with CREWD_ are set by the supervisor",
    ),
    (
        "environment: {SUPERVISOR_ENABLED: 1}",
        19,
        "environment.SUPERVISOR_ENABLED",
        "is reserved: names that begin with SUPERVISOR_ are set by the supervisor",
    ),
    ("environment: {A: true}", 22, "environment.A", "expects text or a number: write it in quotes"),
    ("environment: {A: }", 22, "environment.A", "is empty: expects text or a number"),
    ('environment: {A: "x\\r"}', 22, "environment.A", "holds a carriage return, which no value may"),
    (f"environment: {{A: {'x' * 100_001}}}", 22, "environment.A", "is longer than 100000 characters"),
    (
        "environment: {WORKER_ID: 1}",
        19,
        "environment.WORKER_ID",
        "is reserved: names that begin with WORKER_ID are set by the supervisor",
    ),
    ('name: "a\\x1b[2J"', 11, "name", "holds a control character: remove it"),
    ('directory: "/srv/\\x7f\\x1b"', 16, "directory", "holds a control character: remove it"),
    ('labels: {a: "\\x07"}', 17, "labels.a", "holds a control character: remove it"),
    (
        "environment_file: etc/x",
        23,
        "environment_file",
        'expects an absolute path, or - and an absolute path, found "etc/x"',
    ),
    (
        "user: nobody-of-that-name",
        11,
        "user",
        'there is no user "nobody-of-that-name" on this machine: create it, or name another',
    ),
    (
        "group: no-such-group",
        12,
        "group",
        'there is no group "no-such-group" on this machine: create it, or name another',
    ),
    ("umask: 22", 12, "umask", 'expects an octal mask, found 22: write octal digits after a 0, such as "022" or 0o22'),
    ("umask: 08", 12, "umask", 'expects an octal mask, found 08: write octal digits after a 0, such as "022" or 0o22'),
    (
        "stop_signal: SEGV",
        18,
        "stop_signal",
        "expects a signal's name, found SEGV: write one of TERM HUP INT QUIT KILL USR1 USR2",
    ),
    ("kill_mode: none", 16, "kill_mode", "expects mixed, process or control-group, found none"),
    ("stdin: tty", 12, "stdin", "expects null or pipe, found tty"),
    ("stdout_logfile: x.log", 21, "stdout_logfile", f"{LOG}, found x.log"),
    ("stdout_logfile: /srv/{slot}.log", 21, "stdout_logfile", '"{slot}" is no placeholder: {instance} is the only one'),
    (
        "stdout_logfile: /srv/{instance}/x.log",
        21,
        "stdout_logfile",
        "{instance} may stand in the file's name only, not in its directory",
    ),
    ("stdout_logfile: /srv", 21, "stdout_logfile", "is a directory: name a file in it"),
    ("stdout_logfile: /dev/stdout", 21, "stdout_logfile", "a device cannot be rotated: add stdout_logfile_maxbytes: 0"),
    (
        "stdout_logfile_maxbytes: 50 apples",
        30,
        "stdout_logfile_maxbytes",
        f'expects a size such as 50MiB, found "50 apples": {SIZE}',
    ),
    ("stdout_logfile_maxbytes: 50M", 30, "stdout_logfile_maxbytes", f"expects a size such as 50MiB, found 50M: {SIZE}"),
    (
        "stdout_logfile_maxbytes: 1.5MiB",
        30,
        "stdout_logfile_maxbytes",
        f"expects a size such as 50MiB, found 1.5MiB: {SIZE}",
    ),
    (
        "stdout_logfile_maxbytes: 2000GiB",
        30,
        "stdout_logfile_maxbytes",
        "is too large: at most 2147483647, found 2000GiB",
    ),
    ("name: 5", 11, "name", 'expects text, found 5: write it in quotes, "5"'),
    ("name: ''", 11, "name", 'expects text, found ""'),
    ("labels: {a b: c}", 14, 'labels."a b"', "is no name for labels: it must match ^[A-Za-z0-9][A-Za-z0-9_./-]*$"),
    ("host: a b", 11, "host", 'expects a host name or address, found "a b"'),
    (
        "deployment_type: docker",
        22,
        "deployment_type",
        "docker: this version runs workers on this machine only: write local",
    ),
    ("deployment_type: moon", 22, "deployment_type", "expects local, found moon"),
    ("auto_restart: yes", 19, "auto_restart", f"{FLAG}, found yes"),
    ("restart_delay_ms: 1s", 23, "restart_delay_ms", "expects a whole number from 0 to 1000000000, found 1s"),
    # what this version does not have is refused, and what is meant by another word is guessed
    ("health: {}", 5, "health", UNKNOWN),
    ("instance: 2", 5, "instance", "unknown key: did you mean instances?"),
    ("environmen: {}", 5, "environmen", "unknown key: did you mean environment?"),
    ("numprocs: 2", 5, "numprocs", "unknown key: did you mean instances?"),
    ("exitcodes: [2]", 5, "exitcodes", "unknown key: did you mean success_exit_status?"),
    ("? [a]\n    : 1", 7, "", "a key must be a word, found a list"),
    ("<<: {}", 5, '"<<"', "merge keys are not allowed: put what workers share under 'defaults'"),
    ("name: !!str x", 11, "name", "a tag is not allowed: remove it, or put the value in quotes"),
    ('"a\\nb": 1', 5, '"a\\nb"', UNKNOWN),
]

COMMANDS = [
    ("[sleep, 5]", 22, "[1]", 'expects text, found 5: write it in quotes, "5"'),
    ("[sleep, [x]]", 22, "[1]", "expects text, found a list"),
    ("[]", 14, "", "names no program: write it first, such as [python3, -m, mail]"),
    ("['']", 14, "", "names no program: write it first, such as [python3, -m, mail]"),
    ('""', 14, "", "names no program: write it first, such as [python3, -m, mail]"),
    ("7", 14, "", "expects a list such as [python3, -m, mail], or one string, found 7"),
    ("{a: b}", 14, "", "expects a list such as [python3, -m, mail], or one string, found a mapping"),
    ('[x, "a\\nb"]', 18, "[1]", "holds a line break, which no value may"),
    (
        "./run.sh",
        14,
        "",
        'the program "./run.sh" depends on where supervisord was started: write an absolute path, or a bare name to be found on PATH',
    ),
    ("a | b", 14, "", f"| is a shell's operator, {SHELL}"),
    ("a > /b", 14, "", f"> is a shell's operator, {SHELL}"),
    ("a && b", 14, "", f"& is a shell's operator, {SHELL}"),
    ("a; b", 14, "", f"; is a shell's operator, {SHELL}"),
    ("echo $HOME", 14, "", f"$ is a shell's substitution, {SHELL}"),
    ("'echo \"$HOME\"'", 14, "", f"$ is a shell's substitution, {SHELL}"),
    (r"""'echo "\$HOME"'""", 14, "", f"$ is a shell's substitution, {SHELL}"),
    ("echo `date`", 14, "", f"` is a shell's substitution, {SHELL}"),
    ("|\n      a\n      b", 14, "", f"a line break is a shell's end of command, {SHELL}"),
    ("A=b run", 14, "", "begins with an assignment, and no shell is used: put variables under 'environment'"),
    ("'say \"hi'", 14, "", "cannot be split into words: no closing quotation"),
    ('"a \\0 b"', 14, "", "holds a NUL, which no value may"),
    ("'a \"x\n\n      y\"'", 14, "", "holds a line break, which no value may"),
    ('"a \\x1b b"', 14, "", "holds a control character: remove it"),
    ('[a, "\\x1b"]', 18, "[1]", "holds a control character: remove it"),
]

# whole files
FILES = [
    ("", "1:1: file: is empty: write workers; `crewd schema --sample` shows how"),
    ("# only a comment\n", "1:1: file: is empty: write workers; `crewd schema --sample` shows how"),
    ("- a\n", "1:1: file: expects sections such as 'workers:', found a list"),
    ("hello\n", "1:1: file: expects sections such as 'workers:', found hello"),
    ("worker: {}\n", "1:1: worker: unknown section: did you mean workers?"),
    ("listen: x\n", "1:1: listen: unknown section: the sections are crewd, supervisord, defaults, workers"),
    ("workers: 5\n", "1:10: workers: expects a mapping of workers by their ids, found 5"),
    ("workers: {w: [a]}\n", "1:14: workers.w: expects a mapping of keys, found a list"),
    ("workers:\n  w:\n", "2:3: workers.w: command is missing: write the program to run"),
    ("workers:\n  w: {name: x}\n", "2:3: workers.w: command is missing: write the program to run"),
    ("crewd: {rolls: x}\n", "1:9: crewd.rolls: unknown key: did you mean roles?"),
    ("crewd: {reset: x}\n", f"1:9: crewd.reset: {UNKNOWN}"),
    ("crewd: {listen: x}\n", f"1:17: crewd.listen: {LISTEN}, found x: {ADDRESS}"),
    ("crewd: {listen: '[::1]'}\n", f'1:17: crewd.listen: {LISTEN}, found "[::1]": {ADDRESS}'),
    ("crewd: {listen: 127.0.0.1:70000}\n", f'1:17: crewd.listen: {LISTEN}, found "127.0.0.1:70000": {ADDRESS}'),
    (
        "crewd: {database: mysql://me:secret@host/db}\n",
        "1:19: crewd.database: expects a database: write sqlite, or postgresql://user:password@host:port/name",
    ),
    (
        "crewd: {database: 'postgresql://me:secret@host:x/db'}\n",
        "1:19: crewd.database: expects a database: its URL cannot be read: write postgresql://user:password@host:port/name",
    ),
    *(
        (
            f"crewd: {{database: 'postgresql://me:secret@host/db{query}'}}\n",
            f"1:19: crewd.database: expects a database: {why}",
        )
        for query, why in {
            "?hostaddr=10.0.0.1": PARAMETERS,
            "?passfile=/etc/shadow": PARAMETERS,
            "?sslmode=require&service=evil": PARAMETERS,
            "?gssdelegation=1": PARAMETERS,
            "?%73%65rvice=evil": PARAMETERS,
            "#?hostaddr=10.0.0.1": "write # in its URL as %23",
            "?sslcert=/any&sslkey=/evil.so:k": ENGINE_KEY,
            "?sslkey=/evil.so%3Ak": ENGINE_KEY,
        }.items()
    ),
    (
        "crewd: {sample_interval_sec: 100ms}\n",
        "1:30: crewd.sample_interval_sec: expects a duration from 1s, found 100ms",
    ),
    ("crewd: {on_shutdown: kill}\n", "1:22: crewd.on_shutdown: expects stop or keep, found kill"),
    ("supervisord: {loop: fast}\n", "1:21: supervisord.loop: expects auto or stock, found fast"),
    ("defaults: {command: x}\n", "1:12: defaults.command: cannot be a default: write it to each worker"),
    ("defaults: {port: 1}\n", "1:12: defaults.port: cannot be a default: write it to each worker"),
    ("workers: {all: {command: x}}\n", "1:11: workers.all: is a reserved word: choose another worker id"),
    (
        "workers: {-a: {command: x}}\n",
        "1:11: workers.-a: is no worker id: use letters, digits, _ . -, beginning with a letter or digit",
    ),
    (
        'workers: {"a b]\\n": {command: x}}\n',
        '1:11: workers."a b]\\n": is no worker id: use letters, digits, _ . -, beginning with a letter or digit',
    ),
    (
        f"workers: {{{'a' * 101}: {{command: x}}}}\n",
        f'1:11: workers."{"a" * 60}…": is longer than 100 characters: choose a shorter worker id',
    ),
    (
        "workers:\n  w: {command: x}\n  w: {command: y}\n",
        "3:3: workers.w: is written twice, first in line 2: remove one",
    ),
    (
        "workers:\n  w:\n    command: x\n    command: y\n",
        "4:5: workers.w.command: is written twice, first in line 3: remove one",
    ),
    (
        "workers: {a: {command: x, instances: 4}, a-3: {command: x}}\n",
        "1:42: workers.a-3: is also the name of instance 3 of the worker 'a': rename one",
    ),
    (
        f"workers: {{{', '.join(f'w{n}: {{command: x, instances: 10000}}' for n in range(6))}}}\n",
        "1:191: workers: the crew has 60000 instances: at most 50000 are supported",
    ),
    (
        "a: b: c\n",
        "1:5: yaml: a ':' is not allowed here: indent the line as its neighbours, or put the value in quotes",
    ),
    ("workers:\n\tw: {}\n", "2:1: yaml: a tab indents this line: use spaces"),
    ("workers:\n  w:\n    command: x\n\tname: y\n", "4:1: yaml: a tab indents this line: use spaces"),
    ("a: @x\n", "1:4: yaml: a value cannot begin with @: put it in quotes"),
    (
        "é: [1,\n2\n",
        "3:1: yaml: is not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence that begins in line 1)",
    ),
    ("a: 1\n---\nb: 2\n", "2:1: yaml: a second document begins: keep one to a file"),
    (
        "workers: {w: *x}\n",
        "1:14: workers.w: the alias has no anchor before it; a value that begins with * needs quotes",
    ),
    (
        "workers: &x\n  w: *x\n",
        "2:6: workers.w: the alias has no anchor before it; a value that begins with * needs quotes",
    ),
    ("a: " + "[" * 30 + "\n", f"1:24: a{'[0]' * 20}: is nested more than 20 deep"),
    (b"workers: {w: {command: \xff}}\n", "1:24: file: is not UTF-8: byte 0xff; save it as UTF-8"),
    (b"\n# \xc3\xa9 \xe9\n", "2:5: file: is not UTF-8: byte 0xe9; save it as UTF-8"),
    (
        b"\xef\xbb\xbfworkers: {}\n",
        "1:1: file: begins with a byte order mark: save it as UTF-8 without byte order mark",
    ),
    ("workers: {}\n".encode("utf-16"), "1:1: file: begins with a byte order mark: save it as UTF-8, not UTF-16"),
    ("workers:\n  a\x1bb: 1\n", '2:4: file: holds the control character U+001B: remove it, or write "\\x1b"'),
]

LISTENERS = [
    ("[a]", "3:19: supervisord.eventlisteners: expects a mapping of names to options, found a list"),
    ("{l: 1}", "3:23: supervisord.eventlisteners.l: expects a mapping of options, found 1"),
    ("{l: {command: x}}", "3:23: supervisord.eventlisteners.l: events is missing: an event listener needs it"),
    (
        "{l: {command: x, events: TICK_5, redirect_stderr: true}}",
        "3:52: supervisord.eventlisteners.l.redirect_stderr: is no option that an event listener may have: see [eventlistener:x] in supervisor's manual",
    ),
    (
        "{l: {command: x, events: TICK_5, start_secs: 1}}",
        "3:52: supervisord.eventlisteners.l.start_secs: is no option that an event listener may have: did you mean startsecs?",
    ),
    (
        '{l: {command: "x\\n[program:evil]", events: TICK_5}}',
        "3:33: supervisord.eventlisteners.l.command: holds a line break, which no value may",
    ),
    (
        "{l: {command: x, events: []}}",
        "3:44: supervisord.eventlisteners.l.events: expects text, a number, true or false, found a list",
    ),
    (
        "{l: {command: x, events: TICK_5, user: no-such-user}}",
        '3:58: supervisord.eventlisteners.l.user: there is no user "no-such-user" on this machine: create it, or name another',
    ),
    (
        "{'l]': {command: x, events: TICK_5}}",
        '3:20: supervisord.eventlisteners."l]": is no listener\'s name: use letters, digits, _ . -, beginning with a letter or digit',
    ),
    (
        "{w: {command: x, events: TICK_5}}",
        "3:20: supervisord.eventlisteners.w: is also the name of a worker: rename the listener",
    ),
    (
        "{w-0: {command: x, events: TICK_5}}",
        "3:20: supervisord.eventlisteners.w-0: is also the name of an instance of a worker: rename the listener",
    ),
    *(
        (
            f"{{l: {{command: x, events: TICK_5, {option}: {text}}}}}",
            f'3:{54 + len(option)}: supervisord.eventlisteners.l.{option}: expects {expected}, found "{text}"',
        )
        for option, text, expected in (
            ("buffer_size", "0", "a whole number from 1"),
            ("priority", "high", "a whole number"),
            ("startsecs", "-1", "a whole number from 0"),
            ("autorestart", "maybe", "true, false or unexpected"),
            ("stopasgroup", "maybe", "true or false"),
            ("stopsignal", "BOOM", "a signal's name such as TERM"),
            ("umask", "8", "octal digits such as 022"),
            ("exitcodes", "one", "exit codes with commas between them"),
            ("stderr_logfile_maxbytes", "5XB", "a size such as 50MB"),
        )
    ),
    ('{l: {command: "x ;y", events: TICK_5}}', f"3:33: supervisord.eventlisteners.l.command: {CUT}"),
    ('{l: {command: x, events: "#E"}}', f"3:44: supervisord.eventlisteners.l.events: {CUT}"),
]


@pytest.mark.parametrize(("setting", "column", "path", "message"), SETTINGS, ids=[row[0][:40] for row in SETTINGS])
def test_a_wrong_setting_is_told_at_its_place(setting, column, path, message, refused):
    """One mistake makes one problem, with the line and column of the value, or of the key where that is wrong."""
    text = f"workers:\n  w:\n    command: x\n    {setting}\n"

    assert refused(text) == [f"crewd.yaml:4:{column}: workers.w{path and '.'}{path}: {message}"]


@pytest.mark.parametrize(("command", "column", "item", "message"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_a_wrong_command_is_told_at_its_place(command, column, item, message, refused):
    """A command that could not do what its author means is refused."""
    assert refused(f"workers:\n  w:\n    command: {command}\n") == [
        f"crewd.yaml:3:{column}: workers.w.command{item}: {message}"
    ]


@pytest.mark.parametrize(("text", "problem"), FILES, ids=[str(row[0])[:40] for row in FILES])
def test_a_wrong_file_is_told_at_its_place(text, problem, refused):
    """Mistakes of the whole: YAML, encoding, sections, names."""
    assert refused(text) == [f"crewd.yaml:{problem}"]


@pytest.mark.parametrize(("listeners", "problem"), LISTENERS, ids=[row[0] for row in LISTENERS])
def test_a_wrong_listener_is_told_at_its_place(listeners, problem, refused):
    """What is passed through to supervisord is checked before it is."""
    text = f"workers: {{w: {{command: x}}}}\nsupervisord:\n  eventlisteners: {listeners}\n"

    assert refused(text) == [f"crewd.yaml:{problem}"]


@pytest.mark.parametrize(
    "text",
    [
        "workers: {w: {command: x, environment: s3cr3t}}",
        "workers: {w: {command: x, environment: [s3cr3t]}}",
        "workers: {w: {command: x, environment: {A: [s3cr3t]}}}",
        "workers: {w: {command: x, environment: {A: {b: s3cr3t}}}}",
        'workers: {w: {command: x, environment: {A: "s3cr3t\\n"}}}',
        "workers: {w: {command: x, environment: {A: *s3cr3t}}}",
        "workers: {w: {command: x, environment: {A: !s3cr3t}}}",
        "workers: {w: {command: x, environment: {A: @s3cr3t}}}",
        "workers: {w: {command: x, environment: {A=s3cr3t: }}}",
        "defaults: {environment: s3cr3t}",
        "crewd: {database: s3cr3t}",
        "crewd: {database: [s3cr3t]}",
        "crewd: {database: mysql://root:s3cr3t@db/x}",
        "workers: {w: {command: x, reset: {actions: [{type: redis, url: s3cr3t, locks: [a]}]}}}",
        "workers: {w: {command: x, reset: {actions: [{type: redis, url: 5314, locks: [a]}]}}}",
        "workers: {w: {command: x, reset: {actions: [{type: sql, url: x, statement: x, parameters: s3cr3t}]}}}",
        "workers: {w: {command: x, reset: {actions: [{type: sql, url: x, statement: x, parameters: {a: [s3cr3t]}}]}}}",
    ],
)
def test_what_may_be_a_secret_is_not_repeated(text, refused):
    """Variables and URLs: a mistake is told at its place, and what was written there is not."""
    said = refused(text)

    assert said
    assert not [one for one in said if "s3cr3t" in one or "5314" in one]


ALIASES = [
    ("autostart: true", "auto_start: true"),
    ("restart: always", "auto_restart: true"),
    ("start_limit_burst: 3", "max_restart_attempts: 3"),
    ("start_limit_interval_sec: 3", "max_restart_attempts: 3"),
    ("restart_sec: 3", "restart_delay_ms: 3"),
    ("directory: /srv", "cwd: /srv"),
]


@pytest.mark.parametrize("pair", ALIASES + [(alias, key) for key, alias in ALIASES])
def test_a_key_together_with_its_other_name_is_refused(pair, refused):
    """Which of the two would count is not for the reader to guess."""
    first, second = (setting.split(":")[0] for setting in pair)
    text = f"workers:\n  w:\n    command: x\n    {pair[0]}\n    {pair[1]}\n"

    assert refused(text) == [
        f"crewd.yaml:5:5: workers.w.{second}: says the same as {first!r} beside it: remove one of them"
    ]


def test_all_mistakes_are_told_at_once(refused):
    """Nobody mends a file one mistake a run; order is that of the lines."""
    text = """\
crewd: {on_shutdown: x}
defaults: {restart_sec: x}
workers:
  a: {command: [1, 2], umask: 9}
  b: {restart: x}
"""
    assert [problem.split(": ")[1] for problem in refused(text)] == [
        "crewd.on_shutdown",
        "defaults.restart_sec",
        "workers.a.command[0]",
        "workers.a.command[1]",
        "workers.a.umask",
        "workers.b",
        "workers.b.restart",
    ]


def test_every_event_type_of_supervisor_may_be_listened_to():
    """As the installed supervisor names them."""
    assert {name for name in vars(EventTypes) if name.isupper()} == set(EVENTS)
