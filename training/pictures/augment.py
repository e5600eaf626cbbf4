"""Augmentation: digits turned, stretched, bent, bolder or finer, and a little noisy.

Images are (n, 28, 28, 1) float32 in [0, 1], light ink on 0.
"""

import math

import tensorflow as tf

from digits.digit import SIDE

# The largest change of each kind. All of them keep a digit readable.
TURN = math.radians(20)
STRETCH = 0.2
SHEAR = 0.25
SHIFT = 2.5  # pixels
# In pixels: the standard deviation at the nodes of a GRID x GRID net over the image.
BEND = 1.3
GRID = 5
WEIGHT = 0.8  # share of the bolder or the finer image
NOISE = 0.08  # standard deviation

# Most digits are written well, so weak changes are more frequent than strong ones.
_STRENGTH_EXPONENT = 1.5
_CENTRE = (SIDE - 1) / 2


def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Change each image in its own way.

    A random affine map and a smooth random displacement (Simard, Steinkraus and Platt,
    "Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis", 2003), then dilation or erosion, then noise.

    Args:
        images: (n, 28, 28, 1) float32.
        seed: (2,) integers. The same seed gives the same changes.

    Returns:
        (n, 28, 28, 1) float32.
    """
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 5))
    count = tf.shape(images)[0]
    uniform = tf.random.stateless_uniform((count, 1, 1, 1), seeds[0])
    strength = uniform**_STRENGTH_EXPONENT
    places = _draw_affine(strength[..., 0], seeds[1])
    places += strength * _draw_displacements(count, seeds[2])
    moved = _interpolate(images[..., 0], places)[..., tf.newaxis]
    weighted = _change_weight(moved, strength, seeds[3])
    return _add_noise(weighted, seeds[4])


def _draw_affine(strength: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw the (n, 28, 28, 2) rows and columns that the result's pixels are taken from."""
    shape = (6, tf.shape(strength)[0], 1, 1)
    drawn = strength * tf.random.stateless_uniform(shape, seed, -1.0, 1.0)
    turn = TURN * drawn[0]
    shear = SHEAR * drawn[1]
    height = tf.exp(STRETCH * drawn[2])
    width = tf.exp(STRETCH * drawn[3])
    from_centre = tf.range(SIDE, dtype=tf.float32) - _CENTRE
    rows, columns = tf.meshgrid(from_centre, from_centre, indexing="ij")
    sheared = columns + shear * rows
    turned_rows = tf.cos(turn) * rows - tf.sin(turn) * sheared
    turned_columns = tf.sin(turn) * rows + tf.cos(turn) * sheared
    moved_rows = height * turned_rows + SHIFT * drawn[4]
    moved_columns = width * turned_columns + SHIFT * drawn[5]
    return tf.stack([moved_rows, moved_columns], axis=-1) + _CENTRE


def _draw_displacements(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw (n, 28, 28, 2) displacements: random at the nodes of a net, smooth between."""
    nodes = tf.random.stateless_normal((count, GRID, GRID, 2), seed, stddev=BEND)
    return tf.image.resize(nodes, (SIDE, SIDE), tf.image.ResizeMethod.BICUBIC)


def _interpolate(images: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Take (n, 28, 28) images at (n, 28, 28, 2) fractional places, with 0 outside."""
    side = SIDE + 2
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1]])
    pixels = tf.reshape(padded, (-1, side * side))
    # The pixels below and to the right of each place exist, too.
    places = tf.clip_by_value(places + 1, 0.0, side - 1.001)
    corners = tf.floor(places)
    down, right = tf.unstack(places - corners, axis=-1)
    index = tf.cast(corners[..., 0] * side + corners[..., 1], tf.int32)
    top_left = tf.gather(pixels, index, batch_dims=1)
    top_right = tf.gather(pixels, index + 1, batch_dims=1)
    bottom_left = tf.gather(pixels, index + side, batch_dims=1)
    bottom_right = tf.gather(pixels, index + side + 1, batch_dims=1)
    top = top_left * (1 - right) + top_right * right
    bottom = bottom_left * (1 - right) + bottom_right * right
    return top * (1 - down) + bottom * down


def _change_weight(
    images: tf.Tensor, strength: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Make strokes bolder or finer, by a share of the dilated or of the eroded image."""
    uniform = tf.random.stateless_uniform(tf.shape(strength), seed, -1.0, 1.0)
    share = WEIGHT * strength * uniform
    bolder = tf.nn.max_pool2d(images, 3, 1, "SAME")
    finer = -tf.nn.max_pool2d(-images, 3, 1, "SAME")
    growth = tf.maximum(share, 0) * (bolder - images)
    loss = tf.maximum(-share, 0) * (finer - images)
    return images + growth + loss


def _add_noise(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Add normal noise, of a standard deviation that is drawn per image."""
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    shape = (tf.shape(images)[0], 1, 1, 1)
    deviation = NOISE * tf.random.stateless_uniform(shape, seeds[0])
    noise = tf.random.stateless_normal(tf.shape(images), seeds[1])
    return tf.clip_by_value(images + deviation * noise, 0.0, 1.0)
