"""Which of supervisor's functions each part of the engine relies on: replaces, follows step by step, or hooks around.

Rules:

1. A function stands here if a change in it could make ours wrong; not merely because it is called.
2. A function may stand under several parts: a change in it takes all of them back to supervisor's own way.
3. A listed function exists in every supported version (tests/integration/guard).
"""

from collections.abc import Mapping


def _of(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"supervisor.{prefix}.{name}" for name in names)


_CONTROLS = _of(
    "process.Subprocess", "change_state", "finish", "give_up", "kill", "stop", "transition", "_assertInState"
)
_START_AND_STOP = _of("rpcinterface.SupervisorNamespaceRPCInterface", "startProcess", "stopProcess")
_REAP = (*_of("supervisord.Supervisor", "reap"), *_of("options.ServerOptions", "waitpid"))

PARTS: Mapping[str, tuple[str, ...]] = {
    # engine.py: the states, as supervisor goes through them and as the engine sets them
    "states": (*_CONTROLS, *_of("events", "notify", "subscribe", "unsubscribe", "clear")),
    # hooks.py: what an operator asks for by supervisor's own verbs
    "commands": (
        *_START_AND_STOP,
        *_of("rpcinterface.SupervisorNamespaceRPCInterface", "_getGroupAndProcess"),
        *_of("xmlrpc.supervisor_xmlrpc_handler", "continue_request"),
    ),
    # loop.py, stopping.py, reaper.py, fds.py, foreign.py: the replaced main loop
    "loop": (
        *_of("supervisord.Supervisor", "run", "runforever", "tick", "handle_signal", "shutdown_report"),
        *_of("supervisord.Supervisor", "ordered_stop_groups_phase_1", "ordered_stop_groups_phase_2"),
        *_of("supervisord.Supervisor", "get_process_map"),
        *_REAP,
        *_CONTROLS,
        *_START_AND_STOP,
        *_of("process.Subprocess", "drain", "write", "stop_report", "_check_and_adjust_for_system_clock_rollback"),
        *_of("process.FastCGISubprocess", "spawn", "finish"),
        *_of("process.ProcessGroupBase", "stop_all", "get_unstopped_processes", "get_dispatchers"),
        *_of("process.ProcessGroup", "transition"),
        *_of("process.EventListenerPool", "transition", "dispatch", "_acceptEvent", "_dispatchEvent"),
        *_of("options.ServerOptions", "get_socket_map", "get_signal", "setsignals"),
        *_of("options.SignalReceiver", "receive", "get_signal"),
        *_of("dispatchers.PDispatcher", "handle_error", "close"),
        *_of("dispatchers.POutputDispatcher", "readable", "writable", "handle_read_event"),
        *_of("dispatchers.PEventListenerDispatcher", "readable", "writable", "handle_read_event"),
        *_of("dispatchers.PInputDispatcher", "readable", "writable", "flush", "handle_write_event"),
        *_of("events", "notify"),
        *_of("http.deferring_http_channel", "writable"),
        *_of("medusa.asyncore_25.dispatcher", "add_channel", "del_channel", "close"),
        *_of("medusa.asyncore_25.dispatcher", "handle_read_event", "handle_write_event"),
    ),
    # poller.py, reaper.py: what stands before the stock loop's poller
    "poller": (
        *_of("supervisord.Supervisor", "runforever"),
        *_REAP,
        *_CONTROLS,
        *_of("poller.PollPoller", "register_readable", "unregister_readable", "poll"),
    ),
    # spawn.py: a process without a fork
    "spawn": (
        *_of("process.Subprocess", "spawn", "_spawn_as_parent", "_spawn_as_child", "_prepare_child_fds"),
        *_of("process.Subprocess", "get_execv_args", "record_spawnerr", "change_state", "_assertInState", "set_uid"),
        *_of("options.ServerOptions", "make_pipes", "close_parent_pipes", "close_child_pipes"),
        *_of("options.ProcessConfig", "make_dispatchers"),
        *_of("dispatchers.PDispatcher", "__init__"),
        *_of("dispatchers.POutputDispatcher", "__init__"),
        *_of("dispatchers.PInputDispatcher", "__init__"),
    ),
    # hooks.py, spawn.py: supervisor's fork, with signals blocked around it
    "fork": (
        *_of("process.Subprocess", "spawn", "_spawn_as_parent", "_spawn_as_child", "_prepare_child_fds"),
        *_of("options.ServerOptions", "setsignals"),
    ),
    # hooks.py: answers in large pieces
    "http": (
        *_of("http.deferring_http_channel", "writable", "refill_buffer"),
        *_of("medusa.asynchat_25.async_chat", "initiate_send"),
    ),
    # parsing.py: values without a per cent sign are not expanded; sharing.py: equal values are one
    "parser": _of(
        "options",
        *(f"UnhosedConfigParser.{name}" for name in ("__init__", "read", "saneget", "getdefault")),
        "expand",
    ),
    # journald.py: the log with priorities and the workers' names
    "log": (
        *_of("options.ServerOptions", "make_logger"),
        *_of("loggers", "handle_stdout", "LogRecord.asdict", "Handler.setLevel", "Handler.flush", "Logger.log"),
    ),
    # full_disk.py: logs that cannot be written
    "disk": _of("loggers", "Handler.handleError", "RotatingFileHandler.doRollover"),
    # changes.py, parsing.py: programs come, change and go without their neighbours noticing
    "groups": (
        *_of("supervisord.Supervisor", "add_process_group", "remove_process_group", "diff_to_active"),
        *_of("rpcinterface.SupervisorNamespaceRPCInterface", "addProcessGroup", "removeProcessGroup"),
        *_of("options.ServerOptions", "processes_from_section", "_processes_from_section"),
        *_of("options.ServerOptions", "process_groups_from_parser", "cleanup_fds"),
        *_of("options.ProcessConfig", "__eq__", "create_autochildlogs", "make_process"),
        *_of("process.ProcessGroupBase", "__init__", "before_remove"),
    ),
}
"""Part to the functions that it relies on."""
