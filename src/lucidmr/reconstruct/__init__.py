"""Conventional reconstruction: one method per file, called in the scanner's order by chain.py."""
