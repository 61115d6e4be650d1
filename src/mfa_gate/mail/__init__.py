"""How a message leaves the gate: to a mail server, or into a folder; it must not know to whom and why."""
