"""The loop: observe, decide, act. The only place that waits.

``port`` what the loop needs of the world · ``crew`` the picture of all instances, folded from the journal ·
``supervision`` every decision about supervisord, the rendering and the service manager, without I/O ·
``narrative`` what is logged of an event · ``loop`` carries out what was decided and brings back what happened.
"""
