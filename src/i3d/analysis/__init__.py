"""What a model says of videos: scores, predictions, timelines."""
