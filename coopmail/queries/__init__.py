"""Questions: reads that return entities, ids or rows. They change nothing."""
