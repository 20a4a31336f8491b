"""Define what the installed command `ganstrata` calls first: it imports nothing before Ctrl-C is safe."""


def main() -> None:
    """Run the command line. Until it is imported, Ctrl-C ends the process silently, as any program."""
    import signal

    # A process that was started to ignore Ctrl-C has another handler here, and goes on ignoring it.
    is_python = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_python:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from . import outermost  # noqa: F401 - it handles Ctrl-C from here on
    from .main import main as command

    try:
        if is_python:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command()
    except KeyboardInterrupt:  # just before the command handles Ctrl-C itself
        raise SystemExit(128 + signal.SIGINT) from None
