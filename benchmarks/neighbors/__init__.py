"""How others do it: each is a program, in an environment of its own, that says as JSON what the request took."""
