"""Flags of other systems, said in our rules: what they meant, or a refusal that names what cannot be said."""
