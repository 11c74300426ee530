"""Hostile input: cases as data, a module a kind, read by a guarded process; the tests beside run them all."""
