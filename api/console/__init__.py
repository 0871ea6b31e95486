"""The console: what people use in a browser. It knows the management API and nothing behind it."""
