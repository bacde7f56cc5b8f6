"""How long what is kept: the city's rules by kind of data, and the job that keeps to them."""
