"""`inkwell completion`: what makes the Tab key know the commands."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Let the Tab key know the commands.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in SHELL.

    In bash add to ~/.bashrc: eval "$(inkwell completion bash)"; likewise in zsh. In fish:
    inkwell completion fish > ~/.config/fish/completions/inkwell.fish
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click knows these three
    root = context.find_root()
    click.echo(found(root.command, {}, "inkwell", "_INKWELL_COMPLETE").source())
