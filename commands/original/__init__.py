"""The original system, which had one on-off flag by each name and one rule beside it, said in our terms."""
