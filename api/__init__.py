"""HTTP only: the management API and the evaluation API."""
