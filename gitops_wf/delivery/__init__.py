"""From a commit to objects on a cluster, over ports: render, plan, apply, prune."""
