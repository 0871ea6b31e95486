"""One module builds each process from the settings, and imports only what that process needs.

So the evaluation process cannot touch PostgreSQL even by mistake, and each one starts a second sooner.
"""
