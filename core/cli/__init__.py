"""The command line: flags to configs, progress bars, and the commands of `python -m core`."""
