"""Where shards are computed: local and running Dask clusters, the pool of shards, the worker."""
