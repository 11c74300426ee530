"""Training over shards, by any number of processes that each read a part of them."""
