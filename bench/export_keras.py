"""Write the network for Keras, and a large picture: `python -m bench.export_keras DIGIT.png LARGE.png MODEL.keras`."""

import sys

from PIL import Image, ImageOps

from training import networks

SIDE = 1000

digit, large, saved = sys.argv[1:]
# Dark on light, as on paper.
ImageOps.invert(Image.open(digit).convert("L")).resize(
    (SIDE, SIDE), Image.Resampling.BICUBIC
).save(large)
networks.build("lite").save(saved)
