"""What the benchmarks are made of: a field, servers, senders and clients, and the report."""
