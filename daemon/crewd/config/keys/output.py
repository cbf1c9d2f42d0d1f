"""The keys of a worker: where what it writes goes."""

from crewd.config.key import Key
from crewd.config.kinds import Flag, Size, Whole
from crewd.config.worker_kinds import LogPath


def _log(stream: str, what: str) -> tuple[Key, ...]:
    return (
        Key(
            f"{stream}_logfile",
            LogPath(),
            f"{stream}.path",
            f"Where {what} goes: a file in crewd's log directory (auto), nowhere (none), or a file of its own, "
            "in whose path {instance} stands for the instance's name. Two streams never share a file.",
        ),
        Key(
            f"{stream}_logfile_maxbytes",
            Size(),
            f"{stream}.maxbytes",
            "The size at which the file is rotated; 0: never.",
        ),
        Key(
            f"{stream}_logfile_backups",
            Whole(0, 1000),
            f"{stream}.backups",
            "How many rotated files are kept.",
        ),
    )


OUTPUT = (
    *_log("stdout", "standard output"),
    *_log("stderr", "standard error"),
    Key(
        "redirect_stderr",
        Flag(),
        "redirect_stderr",
        "Whether standard error goes where standard output goes.",
    ),
)
