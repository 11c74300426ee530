"""A trained autoencoder as plain arrays: saved, kept under a name, loaded, and read from foreign checkpoints.

A kept model is a directory `<root>/<name>/` of `weights.safetensors` and `model.json`. It lives beside the user's
documents, not in the clearable store. Nothing here needs torch except reading a foreign `.pt` file.
"""
