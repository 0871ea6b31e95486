"""The management API: commands in, and what the log and the views say out."""
