"""Layers of images and series: convolution, pooling, reshaping, augmentation."""
