"""Scripts that load a running platform and say whether it held: `python -m deploy.load.NAME --help`."""
