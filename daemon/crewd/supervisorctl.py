"""``crewd-supervisorctl``: supervisorctl as it came with crewd, on the home's own file unless ``-c`` names another.

Another installation's supervisorctl cannot load the verbs of crewd's engine, and ends before it has done anything.
"""

import os
import sys
from typing import Any

from supervisor import supervisorctl
from supervisor.options import ClientOptions

from crewd.config.home import home_from
from crewd.errors import ConfigError


def main() -> None:
    """Run supervisorctl, which exits."""
    options: Any = ClientOptions()
    options.require_configfile = True
    try:
        options.searchpaths = [home_from(os.environ).supervisorctl_conf]
    except ConfigError as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(2)
    supervisorctl.main(options=options)
