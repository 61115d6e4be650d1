"""An organization-wide two-step requirement in front of a web portal whose code nobody has to touch."""
