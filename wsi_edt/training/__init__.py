"""From labelled images to weights: random crops, targets, augmentation, the trainer."""

from wsi_edt.training.config import TrainConfig, read_config
from wsi_edt.training.trainer import train

__all__ = ["TrainConfig", "read_config", "train"]
