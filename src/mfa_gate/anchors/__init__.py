"""What is kept of a store outside it: in a file that is read again, and in places that only listen."""

from mfa_gate.anchors.file import AnchorFile

__all__ = ["AnchorFile"]
