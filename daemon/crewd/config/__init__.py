"""The YAML: strict loading, and the JSON Schema, sample and reference generated from the same keys (``keys``)."""

from crewd.config.loading import Loaded, load
from crewd.config.reference_page import reference
from crewd.config.sample_file import sample
from crewd.config.schema import json_schema

__all__ = ["Loaded", "json_schema", "load", "reference", "sample"]
