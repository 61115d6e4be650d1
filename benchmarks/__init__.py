"""What the gate costs and what it bears, as ratios beside a baseline measured in the same run."""
