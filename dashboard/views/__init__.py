"""One page a module: read the widgets, call the pipeline, draw."""
