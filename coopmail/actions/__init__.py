"""Verbs: one business act a function. Each takes a session and `now`, changes rows, and never commits."""
