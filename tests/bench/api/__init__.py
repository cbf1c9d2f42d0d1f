"""What the API takes and stands, with a thousand workers: ``part`` measures one thing after the other.

``asker`` and ``readers`` are programs that ask and listen, so that none of their work is done in the bench's process.
"""
