"""Where state lives: decide that a commit is all or nothing, and know no rule of the policy."""
