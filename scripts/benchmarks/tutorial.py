"""The TensorFlow Hub tutorial's script, as published, for one video file.

    python -m benchmarks.tutorial VIDEO MODEL LABELS

Its steps and their order are those of tensorflow/docs,
site/en/hub/tutorials/action_recognition_with_tf_hub.ipynb. What the notebook needs for its own
display (imageio, tensorflow_docs, IPython) and for downloads (ssl, urllib) is left out, which
makes the script faster, not slower. The last line is added: all probabilities as JSON, to compare.
"""

import json
import logging as python_logging
import sys
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from absl import logging

logging.set_verbosity(logging.ERROR)
python_logging.getLogger("tensorflow").setLevel(python_logging.ERROR)


def crop_center_square(frame: Any) -> Any:
    """Cut the largest square out of the middle."""
    y, x = frame.shape[0:2]
    min_dim = min(y, x)
    start_x = (x // 2) - (min_dim // 2)
    start_y = (y // 2) - (min_dim // 2)
    return frame[start_y : start_y + min_dim, start_x : start_x + min_dim]


def load_video(path: str, max_frames: int = 0, resize: tuple[int, int] = (224, 224)) -> Any:
    """Read a video's frames: (T, 224, 224, 3) float64 RGB in [0, 1]."""
    cap = cv2.VideoCapture(path)
    frames = []
    try:
        while True:
            ret, frame = cap.read()
            if not ret:
                break
            frame = crop_center_square(frame)
            frame = cv2.resize(frame, resize)
            frame = frame[:, :, [2, 1, 0]]
            frames.append(frame)

            if len(frames) == max_frames:
                break
    finally:
        cap.release()
    return np.array(frames) / 255.0


def main(video_path: str, model_path: str, labels_path: str) -> None:
    """Print the five likeliest labels, then all probabilities."""
    with open(labels_path, encoding="utf-8") as file:  # noqa: PTH123  (as published)
        labels = [line.strip() for line in file]
    sample_video = load_video(video_path)
    i3d = hub.load(model_path).signatures["default"]

    # Add a batch axis to the sample video.
    model_input = tf.constant(sample_video, dtype=tf.float32)[tf.newaxis, ...]
    logits = i3d(model_input)["default"][0]
    probabilities = tf.nn.softmax(logits)

    print("Top 5 actions:")
    for i in np.argsort(probabilities)[::-1][:5]:
        print(f"  {labels[i]:22}: {probabilities[i] * 100:5.2f}%")
    print(json.dumps(probabilities.numpy().tolist()))


if __name__ == "__main__":
    main(*sys.argv[1:])
