"""The hospital portal as a Starlette application: `portal.py` alone, `gated.py` behind the gate."""
