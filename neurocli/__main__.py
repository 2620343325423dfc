"""The entry point `neuro`: answers --version without imports, and turns every error into one line and an exit code."""

import os
import signal
import sys

STOPPED = (130, 143)


def main() -> None:
    """Run the command line and exit with its code."""
    for number in (signal.SIGINT, signal.SIGTERM):  # until the command line answers them: nothing has begun yet
        signal.signal(number, lambda received, _: os._exit(128 + received))
    if sys.argv[1:] in (["--version"], ["-V"]):
        from neurocli import __version__

        print(f"neurocli {__version__}")
        return
    from neurocli.cli.main import run
    from neurocli.cli.termination import leave_in_time
    from neurocli.threads import one_thread_by_default

    one_thread_by_default()
    code = run(sys.argv[1:])
    if code in STOPPED:
        leave_in_time(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
