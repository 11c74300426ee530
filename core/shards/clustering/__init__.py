"""Clusters of all rows over parts: Lloyd's iterations by all workers, random batches, a mixture of a sample."""
