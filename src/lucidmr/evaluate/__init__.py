"""Measures of what a processor did to an image, pictures of it, and the report that shows both."""
