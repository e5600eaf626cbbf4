"""Fit, export, evaluate and weights, on one small network."""

import logging
import math
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from digits.classifier import Classifier
from digits.dataset_versions import DatasetVersion
from digits.errors import InvalidDatasetError, InvalidParameterError
from digits.jobs import Parameters, Progress
from digits.models import MODEL_FILE
from training import export, fit, network, package, weights
from training.evaluate import evaluate, evaluate_litert, keras_logits, litert_logits
from training.export import ExportError
from training.input import Examples
from training.progress import describe, display
from training.weights import InvalidWeightsError

PARAMETERS = Parameters(epochs=2, batch_size=64)
