"""Read images, train an autoencoder on them, map, cluster, score and export them; no user interface."""
