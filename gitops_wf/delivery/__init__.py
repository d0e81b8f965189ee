"""From a commit to objects on a cluster: render, plan, apply, prune, health, drift; over ports only."""
