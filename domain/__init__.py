"""What a flag is, what may be decided about it, what each event makes of it, and how it evaluates.

Pure: no clock, no randomness, no input or output.
"""
