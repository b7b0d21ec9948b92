"""Losses for rare classes, for skhp's networks and for any model of Keras."""

from skhp.objectives.rare_class_losses import FocalLoss, SoftF1

__all__ = ["FocalLoss", "SoftF1"]
