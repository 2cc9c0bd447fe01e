"""Nouns: tables and pure rules, a module a subject. No clock, no Flask, no environment."""
