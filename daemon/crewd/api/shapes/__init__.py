"""The shapes of the answers, for ``/openapi.json`` and for the tests: a module for each area; see ``describing``."""
