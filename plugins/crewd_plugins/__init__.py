"""crewd's own plugins, registered by entry points like anybody else's. They import ``crewd.plugin``, and no other part.

``resets`` what a manual restart clears.
"""
