"""Networks, training and prediction: the only room with torch.

==============================  =================================================================
``get_config``, ``CONFIGS``     training settings by name: smoke, default, study, paper
``TrainConfig``                 every setting of a training run
``NETWORKS``, ``UNet``          the networks by name; the paper's
``OriginalUNet``                the first U-Net
``Ensemble``                    several networks, weighted soft voting
``stages``, ``differences``     what a U-Net consists of, for a figure and a table
``NORMALISATIONS``, ``fit``     from reflectance to network input, by name
``Normalisation``               a normalisation as training left it
``split_by_place``              training and validation labels in separate blocks
``propagate_labels``            labels of stable land on every date
``TrainingSet``, ``Learner``    what to learn from; one network in training
``AugmentConfig``               augmentations of reflectance
``train``, ``train_ensemble``   train a network, or the networks of an ensemble
``train_seeds``                 one network per seed, in parallel
``save_model``, ``load_model``  model files
``study_model``                 the model file that ships with the package
``predict_probabilities``       class probabilities of a scene
``map_of``, ``predict_scene``   class map of probabilities, of a scene
``classify_file``               a scene's file of any size to a class map's file
``Applicability``               where a network's maps can be trusted
``applicability_of``            its area of applicability, from the training scenes
``feature_map``                 what a network's last layer sees of a scene
``pick_device``                 the accelerator if there is one, else the CPU
==============================  =================================================================
"""

from lulc_lib.lazy import attach
from lulc_lib.unet.applicability import Applicability, applicability_of, feature_map
from lulc_lib.unet.augment import AugmentConfig
from lulc_lib.unet.checkpoint import StoredModel, load_model, save_model, study_model
from lulc_lib.unet.config import CONFIGS, TrainConfig, get_config
from lulc_lib.unet.dataset import TrainingSet, split_by_place
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.label_propagation import propagate_labels
from lulc_lib.unet.learner import Learner
from lulc_lib.unet.model import NETWORKS, Ensemble, OriginalUNet, UNet
from lulc_lib.unet.normalise import NORMALISATIONS, Normalisation, fit
from lulc_lib.unet.parallel import train_seeds
from lulc_lib.unet.predict import map_of, predict_probabilities, predict_scene
from lulc_lib.unet.train import TrainResult, train, train_ensemble

_LATER = {"classify_file": "map_files", "differences": "describe", "stages": "describe"}
"""Public name to the module that needs more libraries than training does."""

__getattr__ = attach(__name__, _LATER)[0]

