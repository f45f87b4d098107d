"""`python -m inkwell` is the same as `inkwell`."""

from inkwell.cli import main

main(prog_name="inkwell")
