"""The original system's HTTP interfaces, answered from our own log."""
