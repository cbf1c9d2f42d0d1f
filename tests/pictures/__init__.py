"""Draws the dashboards for the docs, from what a real Prometheus answers to their queries."""
