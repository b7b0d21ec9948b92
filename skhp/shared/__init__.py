"""Helpers for every other part of skhp, without TensorFlow: classes, pipelines, names, amounts."""
