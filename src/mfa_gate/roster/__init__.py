"""Reads the organization's list of its people, wherever it is kept; what comes of it `flows.importing` decides."""
