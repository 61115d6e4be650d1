"""Values and rules, pure: decides everything, and knows no clock, no randomness and no I/O."""
