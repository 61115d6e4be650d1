"""Servers for every test of stores that wants one."""

from tests.stores.redis_servers import own_server, servers

__all__ = ["own_server", "servers"]
