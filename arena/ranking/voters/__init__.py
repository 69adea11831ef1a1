"""Models in which voters differ: groups, ideal points, and simulated voters to test them with."""
