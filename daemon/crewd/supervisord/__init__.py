"""The driver of supervisord: how its configuration is written and verified, and how it is spoken to."""
