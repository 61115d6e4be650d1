"""The hospital portal as a Flask application: `portal.py` alone, `gated.py` behind the gate."""
