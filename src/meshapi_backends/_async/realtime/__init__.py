"""Realtime sessions: one connection after another, each read and written at the same time."""
