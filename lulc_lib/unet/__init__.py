"""Networks, loss, training and prediction of the U-Net and its kin: the only room with torch."""

from lulc_lib.unet.checkpoint import load_model, save_model
from lulc_lib.unet.config import CONFIGS, TrainConfig, get_config
from lulc_lib.unet.ensemble import Ensemble
from lulc_lib.unet.normalise import NORMALISATIONS, Normalisation
from lulc_lib.unet.predict import map_of, predict_probabilities, predict_scene
from lulc_lib.unet.registry import NETWORKS
from lulc_lib.unet.train import TrainResult, train

__all__ = [
    "CONFIGS", "NETWORKS", "NORMALISATIONS", "Ensemble", "Normalisation", "TrainConfig",
    "TrainResult", "get_config", "load_model", "map_of", "predict_probabilities", "predict_scene",
    "save_model", "train",
]
