"""Use cases, synchronous: decide what happens to an account, and know no HTTP and no store but through ports."""
