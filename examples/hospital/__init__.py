"""The hospital that both example portals serve: its people, files and pages; it knows no web framework."""
