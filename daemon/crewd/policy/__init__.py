"""The decisions: pure functions. Time and randomness are arguments; every verdict carries its reason."""
