"""What experiments are made of: data, tuned training in lanes, points on surfaces."""
