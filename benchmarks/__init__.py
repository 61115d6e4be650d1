"""What the gate costs, as ratios beside a baseline measured in the same run."""
