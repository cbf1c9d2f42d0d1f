"""``python -m crewd.apply``."""

from crewd.apply import main

main()
