"""The evaluation API: answers from memory, and nothing that could take it down with the rest."""
