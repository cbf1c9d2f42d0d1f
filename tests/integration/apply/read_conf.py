"""Runs under one version of supervisor: what does it make of a configuration? One JSON line in, one out.

In: the configuration's text. Out: by process what would be executed and with what, and all sections; or the error.
"""

import io
import json
import shlex
import sys

from supervisor.options import VERSION, ServerOptions


class Reader(ServerOptions):
    """supervisor's own reader; crewd's engine need not be importable."""

    def import_spec(self, spec):
        return spec

    def process_groups_from_parser(self, parser):
        self.sections = parser.sections()
        return super().process_groups_from_parser(parser)


def read(text):
    reader = Reader()
    section = reader.read_config(io.StringIO(text))
    processes = {}
    for group in section.process_group_configs:
        for config in group.process_configs:
            processes[config.name] = {
                "argv": shlex.split(config.command),  # as Subprocess.get_execv_args
                "environment": config.environment,
                "directory": config.directory,
                "stdout_logfile": config.stdout_logfile,
                "uid": config.uid,
            }
    return {"sections": reader.sections, "processes": processes}


print(json.dumps({"version": VERSION}), flush=True)
for line in sys.stdin:
    try:
        answer = read(json.loads(line))
    except ValueError as cause:
        answer = {"error": str(cause)}
    print(json.dumps(answer), flush=True)
