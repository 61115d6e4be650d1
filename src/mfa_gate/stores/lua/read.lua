-- ARGV: account, ask, live field.
return state(ARGV[1], ARGV[2], ARGV[3])
