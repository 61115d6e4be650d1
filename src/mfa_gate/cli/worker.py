"""`worker`: the background jobs in a process of their own; any process of the gate does them as well."""

import signal
import threading

import click

from mfa_gate.cli.invocation import Invocation, pass_invocation, settings_option

LOOK_SECONDS = 1.0


@click.command()
@settings_option
@pass_invocation
def worker(invocation: Invocation) -> None:
    """Do the background work (checkpoints of the trail, expiry, the daily examination) until SIGTERM or Ctrl+C.

    Of all processes on one store, one does each job at a time; another follows when it ends. A store that is away is
    waited for.
    """
    from mfa_gate.process import PerProcess

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    parts = PerProcess(invocation.settings(), invocation.sources)
    click.echo("Working. SIGTERM or Ctrl+C ends it.")
    try:
        while not ended.wait(LOOK_SECONDS):
            parts.door()
    finally:
        parts.close()
