"""Writes the network for Keras, and a large picture.

python -m bench.export_keras DIGIT.png LARGE.png MODEL.keras
"""

import sys

from PIL import Image, ImageOps

from training import networks

SIDE = 1000

digit, large, model = sys.argv[1:]
# A dark digit on a light background, as a photograph of paper has it.
photograph = ImageOps.invert(Image.open(digit).convert("L"))
photograph.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(large)
networks.build("lite").save(model)
