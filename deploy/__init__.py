"""How it runs: settings, a function for each process, the command line, a whole platform on a laptop."""
