"""Sets of images in shards, and tables of what is found of them: one Parquet file a shard and stage."""
