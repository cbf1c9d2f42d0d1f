"""``python -m crewd_supervisord.launch``: supervisord, with its start made quick. Takes supervisord's own arguments.

The collector stays out of the way while a thousand sections are parsed; the plugin's factory sets it up for the rest.
Where nothing is in force yet, it ends with 78: another try would end the same.
"""

import gc
import os
import sys


def main() -> None:
    """Run supervisord."""
    gc.set_threshold(1_000_000, 10, 10)
    from supervisor import supervisord  # noqa: PLC0415 - after the collector was told

    from crewd_supervisord import boot_lock, full_disk, journald, parsing, service, sharing  # noqa: PLC0415
    from crewd_supervisord.guard import examine  # noqa: PLC0415

    if examine("disk").fits:
        full_disk.outlive()
    if examine("parser").fits:
        parsing.speed_up()
        sharing.share_while_parsing()
    if examine("log").fits and journald.listens(os.environ):
        journald.speak()
    parsing.forgive_missing_log_directories()
    if missing := boot_lock.nothing_in_force(sys.argv[1:]):
        sys.stderr.write(f"cannot start supervisord: {missing} is missing: crewd-apply makes it, or says why not\n")
        sys.exit(os.EX_CONFIG)
    service.take(os.environ)
    boot_lock.hold(sys.argv[1:])
    sys.argv[0] = "supervisord"
    supervisord.main()


if __name__ == "__main__":
    main()
