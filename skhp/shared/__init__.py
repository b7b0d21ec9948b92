"""What every other part of skhp may use, without TensorFlow: classes, pipelines, names, amounts."""
