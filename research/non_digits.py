r"""Make sets of non-digits that no network has learnt from, for `digits evaluate --negatives`.

Each set is a folder of PNG files. Sets and letters whose packages are not installed are
left out:

    apt-get install dataset-fashion-mnist fonts-dejavu-core fonts-lohit-deva fonts-breip \
        fonts-femkeklaver fonts-humor-sans fonts-ecolier-court fonts-noto-color-emoji
    .venv/bin/python -m research.non_digits FOLDER
"""

import argparse
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image, ImageDraw, ImageFont

CROPS = 3000
# In pixels.
CROP_SIDES = (28, 56, 112, 224)
# In pixels: the PNG of a photograph stays below the 1 MiB that the service accepts.
LONGEST_SIDE = 640
LETTER_SIZE = 64
# In pixels: the only size of the font.
EMOJI_SIZE = 109
EMOJI_CANVAS = (136, 128)

FASHION = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
# In bytes: the header of an IDX file with three dimensions.
IDX_HEADER = 16
FONTS = Path("/usr/share/fonts/truetype")
EMOJI = FONTS / "noto" / "NotoColorEmoji.ttf"

# Most emoji of Unicode.
EMOJI_BLOCKS = (
    range(0x1F300, 0x1F650),
    range(0x1F680, 0x1F6D0),
    range(0x1F900, 0x1FA00),
)
# Emoji with digits on them: a billiard ball, calendars, keys, clocks and medals.
EMOJI_WITH_DIGITS = {
    0x1F3B1,
    0x1F4AF,
    0x1F4C5,
    0x1F4C6,
    0x1F51E,
    0x1F51F,
    0x1F522,
    0x1F5D3,
    *range(0x1F550, 0x1F568),
    *range(0x1F947, 0x1F94A),
}

# Pages, drawings and clocks are left out: they may have digits on them.
SKIMAGE_PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
SKLEARN_PHOTOGRAPHS = ("china.jpg", "flower.jpg")

# Letters that some hand writes as a digit are left out: D, O, o and Q as 0, I, i, J, j,
# l and T as 1 or 7, Z and z as 2, E as 3, A and h as 4, S and s as 5, b and G as 6, B as
# 8, g, q and y as 9.
LATIN = "CFHKLMNPRUVWXYacdefkmnprtuvwx"


@dataclass(frozen=True)
class Script:
    """Letters of a script, and a font below `FONTS` that has them."""

    name: str
    font: str
    letters: str


# In other scripts many more letters resemble digits: Cyrillic Ze is like a 3, Che like
# a 4, Hebrew Samekh like a 0, Devanagari Ra like a 2. Such letters are left out, too.
# Some that remain are similar: look at what a model accepts.
SCRIPTS = (
    Script("greek", "dejavu/DejaVuSans.ttf", "ΓΔΛΞΠΣΨΩβγδεζηθλμξπσφψω"),
    Script("cyrillic", "dejavu/DejaVuSerif.ttf", "ДЖИЛПФЦШЩЪЫЮЯджилмфцшщыюя"),
    Script("hebrew", "dejavu/DejaVuSans.ttf", "אבדהחטכלמנעפצקשת"),
    Script("arabic", "dejavu/DejaVuSans.ttf", "بتثجحخدذرسشصضطظعغفقكلمني"),
    Script(
        "devanagari",
        "lohit-devanagari/Lohit-Devanagari.ttf",
        "अआइईउऊकखघचछजझडणतदनपबभमयलवशषसह",
    ),
    Script("breip", "breip/Breip.ttf", LATIN),
    Script("ecolier", "ecolier-court/Ecolier-court.ttf", LATIN),
    Script("femkeklaver", "femkeklaver/femkeklaver.ttf", LATIN),
    Script("humor", "humor-sans/Humor-Sans.ttf", "CFHKLMNPRUVWXY"),
)


@dataclass(frozen=True)
class Picture:
    """A picture of a set, and the name of its file without the suffix."""

    name: str
    image: Image.Image


def read_garments() -> Iterator[Picture]:
    """Read the 10,000 test images of Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017)."""
    if not FASHION.exists():
        return
    data = gzip.decompress(FASHION.read_bytes())
    images = np.frombuffer(data, np.uint8, offset=IDX_HEADER).reshape(-1, 28, 28)
    for index, image in enumerate(images):
        yield Picture(f"{index:05}", Image.fromarray(image))


def read_photographs() -> Iterator[Picture]:
    """Read the photographs of scikit-image and scikit-learn, in shades of grey."""
    skimage_folder = Path(skimage.__file__).parent / "data"
    sklearn_folder = Path(sklearn.__file__).parent / "datasets" / "images"
    paths = [skimage_folder / name for name in SKIMAGE_PHOTOGRAPHS]
    paths += [sklearn_folder / name for name in SKLEARN_PHOTOGRAPHS]
    for path in paths:
        with Image.open(path) as photograph:
            grey = photograph.convert("L")
        grey.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        yield Picture(path.stem, grey)


def cut_crops() -> Iterator[Picture]:
    """Cut squares of several sizes out of the photographs, equally many of each."""
    rng = np.random.default_rng(0)
    photographs = list(read_photographs())
    for index in range(CROPS):
        photograph = photographs[index % len(photographs)]
        width, height = photograph.image.size
        side = min(int(rng.choice(CROP_SIDES)), width, height)
        left = int(rng.integers(width - side + 1))
        top = int(rng.integers(height - side + 1))
        crop = photograph.image.crop((left, top, left + side, top + side))
        yield Picture(f"{index:04}-{photograph.name}", crop)


def print_letters() -> Iterator[Picture]:
    """Print letters of several scripts, and of fonts that imitate handwriting."""
    for script in SCRIPTS:
        path = FONTS / script.font
        if not path.exists():
            continue
        font = ImageFont.truetype(path, LETTER_SIZE)
        for letter in script.letters:
            image = Image.new("L", (2 * LETTER_SIZE, 2 * LETTER_SIZE), 255)
            middle = LETTER_SIZE, LETTER_SIZE
            ImageDraw.Draw(image).text(middle, letter, 0, font, anchor="mm")
            yield Picture(f"{script.name}-{ord(letter):04x}", image)


def print_emoji() -> Iterator[Picture]:
    """Print animals, people, food, vehicles and signs, in colour on white."""
    if not EMOJI.exists():
        return
    font = ImageFont.truetype(EMOJI, EMOJI_SIZE)
    width, height = EMOJI_CANVAS
    codes = set().union(*EMOJI_BLOCKS) - EMOJI_WITH_DIGITS
    for code in sorted(codes):
        image = Image.new("RGB", EMOJI_CANVAS, "white")
        ImageDraw.Draw(image).text(
            (width / 2, height / 2),
            chr(code),
            font=font,
            anchor="mm",
            embedded_color=True,
        )
        is_in_font = np.ptp(np.asarray(image)) > 0
        if is_in_font:
            yield Picture(f"{code:x}", image)


SETS: dict[str, Callable[[], Iterator[Picture]]] = {
    "fashion": read_garments,
    "photographs": read_photographs,
    "crops": cut_crops,
    "scripts": print_letters,
    "emoji": print_emoji,
}


def write_set(folder: Path, pictures: Iterator[Picture]) -> int:
    """Write pictures to a folder. Returns how many pictures there are."""
    count = 0
    for picture in pictures:
        folder.mkdir(parents=True, exist_ok=True)
        picture.image.save(folder / f"{picture.name}.png")
        count += 1
    return count


def main() -> None:
    """Make a folder per set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, make_pictures in SETS.items():
        count = write_set(folder / name, make_pictures())
        print(f"{count:6,} {name}")


if __name__ == "__main__":
    main()
