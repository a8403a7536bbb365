"""Variants of a race's rules: activation, normalisation, dropout, penalties, decay, augmentation, early stopping."""
