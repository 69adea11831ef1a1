"""Ratings that move vote by vote: Elo and Gaussian skill, with what their order and step are worth."""
