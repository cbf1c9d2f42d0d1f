"""Whether the store keeps up: a journal that grows by so many lines a second, followed into a database.

``part`` lets it happen, for each database · ``writer`` writes the journal, ``follower`` follows it, each a process of
its own · ``lines`` are what is written · ``commits`` is what comes of it.
"""
