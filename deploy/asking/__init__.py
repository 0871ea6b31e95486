"""What the command line asks the management API: history, differences, undo, blame, searches, what-if."""
