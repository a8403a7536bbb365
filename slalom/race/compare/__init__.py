"""Races that answer one question: which regularisation helps here, which activation suits."""
