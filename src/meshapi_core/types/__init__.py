"""The types of every request and answer, one module for each group of endpoints."""
