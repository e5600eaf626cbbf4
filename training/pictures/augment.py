"""Digits as another hand might have written them: turned, stretched, bent, bolder or finer, and a little dirty."""

import math

import tensorflow as tf

from digits.digit import SIDE

# Each is the largest that occurs, or the standard deviation of what does; all keep a
# digit readable as what it is.
TURN = math.radians(20)
STRETCH = 0.2
SHEAR = 0.25
SHIFT = 2.5  # pixels
BEND = (
    1.3  # pixels, standard deviation at the nodes of a GRID x GRID net over the image
)
GRID = 5
WEIGHT = 0.8  # share of the bolder or the finer picture
DIRT = 0.08  # standard deviation of the noise, in images in [0, 1]


def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Change each image in its own way; the same seed, the same changes.

    A random affine map and a smooth random displacement (Simard, Steinkraus and Platt,
    "Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis", 2003), then dilation or erosion, then noise.

    Args:
        images: (n, 28, 28, 1) float32 in [0, 1], light ink on 0.
        seed: (2,) integers.

    Returns:
        (n, 28, 28, 1) float32 in [0, 1].
    """
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 5))
    # How much an image is changed is drawn too: most of what is to be read is written well.
    much = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seeds[0]) ** 1.5
    moved = _sample(
        images[..., 0],
        _affine(much[..., 0], seeds[1])
        + much * _elastic(tf.shape(images)[0], seeds[2]),
    )[..., tf.newaxis]
    return _soil(_reweigh(moved, much, seeds[3]), seeds[4])


def _affine(much: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Where each pixel of the (n, 28, 28) result is taken from: (n, 28, 28, 2) rows and columns."""
    drawn = much * tf.random.stateless_uniform(
        (6, tf.shape(much)[0], 1, 1), seed, -1.0, 1.0
    )
    turn, shear = TURN * drawn[0], SHEAR * drawn[1]
    height, width = tf.exp(STRETCH * drawn[2]), tf.exp(STRETCH * drawn[3])
    middle = (SIDE - 1) / 2
    rows, columns = tf.meshgrid(
        tf.range(SIDE, dtype=tf.float32) - middle,
        tf.range(SIDE, dtype=tf.float32) - middle,
        indexing="ij",
    )
    slanted = columns + shear * rows
    down = height * (tf.cos(turn) * rows - tf.sin(turn) * slanted) + SHIFT * drawn[4]
    right = width * (tf.sin(turn) * rows + tf.cos(turn) * slanted) + SHIFT * drawn[5]
    return tf.stack([down, right], axis=-1) + middle


def _elastic(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """How much further off, (n, 28, 28, 2): random at the nodes of a net, smooth between them."""
    nodes = tf.random.stateless_normal((count, GRID, GRID, 2), seed, stddev=BEND)
    return tf.image.resize(nodes, (SIDE, SIDE), tf.image.ResizeMethod.BICUBIC)


def _sample(images: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """The (n, 28, 28) images at (n, 28, 28, 2) fractional places, interpolated; 0 outside."""
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1]])
    side = SIDE + 2
    places = tf.clip_by_value(places + 1, 0.0, side - 1.001)
    corner = tf.floor(places)
    down, right = tf.unstack(places - corner, axis=-1)
    first = tf.cast(corner[..., 0] * side + corner[..., 1], tf.int32)
    flat = tf.reshape(padded, (-1, side * side))

    def at(offset: int) -> tf.Tensor:
        return tf.gather(flat, first + offset, batch_dims=1)

    top = at(0) * (1 - right) + at(1) * right
    bottom = at(side) * (1 - right) + at(side + 1) * right
    return top * (1 - down) + bottom * down


def _reweigh(images: tf.Tensor, much: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Bolder or finer strokes: a share of the dilated or of the eroded picture."""
    share = WEIGHT * much * tf.random.stateless_uniform(tf.shape(much), seed, -1.0, 1.0)
    bolder = tf.nn.max_pool2d(images, 3, 1, "SAME")
    finer = -tf.nn.max_pool2d(-images, 3, 1, "SAME")
    return (
        images
        + tf.maximum(share, 0) * (bolder - images)
        + tf.maximum(-share, 0) * (finer - images)
    )


def _soil(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Noise, of a strength that each image draws."""
    strengths, noise = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    strength = DIRT * tf.random.stateless_uniform(
        (tf.shape(images)[0], 1, 1, 1), strengths
    )
    return tf.clip_by_value(
        images + strength * tf.random.stateless_normal(tf.shape(images), noise),
        0.0,
        1.0,
    )
