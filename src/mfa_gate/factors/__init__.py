"""Verifies single factors, pure computation: decides whether an answer is right; knows no account and no storage."""
