"""``crewd run``: the composition root and what only it needs.

``daemon`` is the one file that knows every part · ``init`` PID 1 of a container · ``lock`` one daemon per state
directory · ``service`` the service manager · ``logs`` how the log looks · ``journald`` where it goes under systemd ·
``heap`` the C library's memory.
"""
