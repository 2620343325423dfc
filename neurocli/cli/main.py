"""`neuro`: the app, and the boundary where every error becomes one clear block and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from neurocli.cli import (
    compare,
    demo,
    diagnose,
    doctor,
    evaluate,
    explain,
    fetch,
    info,
    interpret,
    models,
    plugins,
    preprocess,
    report,
    runs,
    simulate,
    train,
)
from neurocli.cli.output import StdoutClosed, clean, envelope, print_envelope, say
from neurocli.cli.shortcuts import CONTEXT
from neurocli.cli.signals import answering_signals
from neurocli.errors import Explained, Interrupted, NeuroError, StorageError, UsageError, nearest_hint
from neurocli.runs.atomic import refusal

# Taken from a public class: typer has brought its own click since 0.26, and used the package click before.
_ClickUsageError = typer.BadParameter.__bases__[0]
_ClickException = _ClickUsageError.__bases__[0]
BUG = 70
_HELP = "Simulate, preprocess, train, diagnose, evaluate and interpret models of neural activity."

_COMMANDS = {
    "demo": demo.demo,
    "simulate": simulate.simulate,
    "preprocess": preprocess.preprocess,
    "train": train.train,
    "diagnose": diagnose.diagnose,
    "evaluate": evaluate.evaluate,
    "interpret": interpret.interpret,
    "compare": compare.compare,
    "report": report.report,
    "runs": runs.runs,
    "doctor": doctor.doctor,
    "explain": explain.explain,
    "fetch": fetch.fetch,
    "info": info.info,
}
_TAKE_SHORTCUTS = ("simulate", "preprocess", "train", "diagnose")
_GROUPS = {"models": models.app, "plugins": plugins.app}


def run(argv: list[str]) -> int:
    """Run one command line; gives the exit code and never raises."""
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        with answering_signals():
            return _dispatch(argv or ["--help"])
    except StdoutClosed:
        _silence_stdout()
        return 0
    except (NeuroError, Interrupted) as error:
        return _report(argv, error)
    except _ClickUsageError as error:  # type: ignore[misc]
        return _report(argv, _usage_error(error, argv))
    except _ClickException as error:  # type: ignore[misc]
        return _report(argv, UsageError(error.format_message(), where="neuro", hint="neuro --help"))
    except (KeyboardInterrupt, typer.Abort):
        return _report(argv, Interrupted("interrupted", where="neuro", hint="give the same command again"))
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # rich's answer, in `neuro --help | head -1`
            _silence_stdout()
            return 0
        return error.code if isinstance(error.code, int) else 0 if error.code is None else BUG
    except BrokenPipeError as error:
        if _is_stdout_closed():
            return 0
        return _bug(argv, error)
    except MemoryError:
        hint = "try a smaller batch, fewer runs or another device"
        return _report(argv, NeuroError("out of memory", where="neuro", hint=hint))
    except OSError as error:
        # A full disk or a folder that is not ours may be met anywhere, in libraries too; the rest is a bug.
        place = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else "standard output"
        storage_error = refusal(error, place)
        return _bug(argv, error) if storage_error is None else _report(argv, storage_error)
    except BaseException as error:
        return _bug(argv, error)
    finally:
        if _unflushed():
            _silence_stdout()


def build_app(argv: list[str]) -> typer.Typer:
    """The typer app. Commands of plugins are listed by their cards; only the one that is called is loaded."""
    app = typer.Typer(
        name="neuro",
        no_args_is_help=False,
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help=_HELP)(_main_options)
    for name, function in _COMMANDS.items():
        app.command(name, context_settings=CONTEXT if name in _TAKE_SHORTCUTS else None)(function)  # type: ignore[type-var]
    for name, group in _GROUPS.items():
        app.add_typer(group, name=name)
    called = next((word for word in argv if not word.startswith("-")), None)
    if called not in _COMMANDS and called not in _GROUPS:
        _add_plugin_commands(app, called)
    return app


def _add_plugin_commands(app: typer.Typer, called: str | None) -> None:
    from neurocli.plugin.cards import CommandCard
    from neurocli.plugin.registry import load_implementation, registry

    for card in registry().cards(CommandCard):
        if card.name in _COMMANDS or card.name in _GROUPS:
            say(f"warning: the command {card.name} of a plugin is left out: neuro has a command of that name")
        elif card.name == called:
            app.command(card.name, help=card.summary)(load_implementation(card))
        else:
            app.command(card.name, help=card.summary)(lambda: None)


def _print_version(requested: bool) -> None:
    if requested:
        from neurocli import __version__

        print(f"neurocli {__version__}")
        raise typer.Exit


def _main_options(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Print the version and stop.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """The options before any command."""


def _dispatch(argv: list[str]) -> int:
    command = typer.main.get_command(build_app(argv))
    result = command.main(args=argv, prog_name="neuro", standalone_mode=False)
    with contextlib.suppress(ValueError):
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            raise StdoutClosed from None
    return result if isinstance(result, int) else 0


# -- errors ------------------------------------------------------------------------------------------------------


def _report(argv: list[str], error: Explained) -> int:
    """Show an error: the envelope on stdout under --json, one block on stderr otherwise."""
    if _wants_json(argv):
        try:
            print_envelope(envelope(_command_of(argv), data=getattr(error, "data", None), error=error.as_dict()))
            return error.exit_code
        except StdoutClosed:
            return error.exit_code
        except (StorageError, OSError):  # stdout is a file on a full disk: then on stderr
            pass
    lines = [f"error: {error.message}"]
    if error.where:
        lines.append(f"where: {error.where}")
    if error.hint:
        lines.append(f"hint:  {error.hint}")
    for line in lines:
        say(clean(line.replace("\n", "\n       ")))
    return error.exit_code


def _usage_error(error: Any, argv: list[str]) -> UsageError:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    path = (context.command_path if context is not None else "neuro").strip()
    hint = f"{path} --help"
    if message.startswith("No such command"):
        wrong = message.partition("'")[2].partition("'")[0]
        hint = nearest_hint(wrong, context.command.list_commands(context)) if context is not None else hint
        message = f"neuro has no command {wrong!r}" if path == "neuro" else f"{path} has no command {wrong!r}"
    message = message.rstrip(".")
    return UsageError(message[:1].lower() + message[1:], where=path, hint=hint)


def _bug(argv: list[str], error: BaseException) -> int:
    """An error that nobody expected: its traceback goes into a file, whose path is shown."""
    place = _write_traceback(argv, error)
    text = " ".join(str(error).split())
    bug = NeuroError(
        f"this is a bug of neurocli or of a plugin: {type(error).__name__}: {text}"[:500],
        where=place,
        hint="the file holds the traceback; please report it",
    )
    bug.kind, bug.exit_code = "bug", BUG
    return _report(argv, bug)


def _write_traceback(argv: list[str], error: BaseException) -> str | None:
    import tempfile
    import time
    import traceback

    from neurocli.runs.cache import cache_root

    text = f"neuro {' '.join(argv)}\n{sys.version}\n\n" + "".join(traceback.format_exception(error))
    for folder in (cache_root() / "log", Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"neuro-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
            path.write_text(text, encoding="utf-8", errors="replace")
            return str(path)
    sys.stderr.write(text)
    return None


def _wants_json(argv: list[str]) -> bool:
    return "--json" in (argv[: argv.index("--")] if "--" in argv else argv)


def _command_of(argv: list[str]) -> str:
    arguments = [argument for argument in argv if not argument.startswith("-")]
    if len(arguments) > 1 and (arguments[0], arguments[1]) in (("models", "show"), ("plugins", "check")):
        return " ".join(arguments[:2])
    return arguments[0] if arguments else "neuro"


# -- the process -------------------------------------------------------------------------------------------------


def _open_standard_streams() -> None:
    """Put a sink where the caller has closed stdin, stdout or stderr.

    Else the next file that we open would get the number, and what a library prints would land in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
                if getattr(sys, name) is None:
                    setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _is_stdout_closed() -> bool:
    """Whether it is our stdout that nobody reads; otherwise a broken pipe is somebody else's."""
    try:
        sys.stdout.flush()
        import select

        poll = select.poll()
        poll.register(1, select.POLLERR)
        closed = bool(poll.poll(0))
    except BrokenPipeError:
        closed = True
    except (OSError, ValueError, AttributeError):
        closed = False
    if closed:
        _silence_stdout()
    return closed


def _unflushed() -> bool:
    """Whether stdout holds what cannot be written any more."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        return True
    except ValueError:  # closed already
        pass
    return False


def _silence_stdout() -> None:
    """Python would complain at exit about what it could not flush."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
