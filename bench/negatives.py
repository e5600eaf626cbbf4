"""Make pictures of no digits that no network has learnt from, as folders of PNG for `digits evaluate --negatives`.

Nothing here is needed for anything else, so it has an environment of its own; what is
not installed is left out:

    apt-get install dataset-fashion-mnist fonts-dejavu-core fonts-lohit-deva fonts-breip
    fonts-femkeklaver \
        fonts-humor-sans fonts-ecolier-court fonts-noto-color-emoji
    python3 -m venv negatives && negatives/bin/pip install scikit-image scikit-learn
    negatives/bin/python bench/negatives.py FOLDER
"""

import argparse
import gzip
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CROPS = 3000
SIDES = (28, 56, 112, 224)
# The longer side of a whole photograph: its PNG stays below the 1 MiB that the service takes.
LONGEST = 640
FASHION = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
FONTS = Path("/usr/share/fonts/truetype")
LETTER = 64
EMOJI = FONTS / "noto" / "NotoColorEmoji.ttf"
# The only size that the font has, in pixels.
EMOJI_SIZE = 109
# Most that Unicode has, but those with digits on them: balls, calendars, medals, clocks
# and the like.
EMOJI_CODES = {
    *range(0x1F300, 0x1F650),
    *range(0x1F680, 0x1F6D0),
    *range(0x1F900, 0x1FA00),
}
EMOJI_CODES -= {
    0x1F3B1,
    0x1F4AF,
    0x1F4C5,
    0x1F4C6,
    0x1F51E,
    0x1F51F,
    0x1F522,
    0x1F5D3,
    *range(0x1F550, 0x1F568),
}
EMOJI_CODES -= {*range(0x1F947, 0x1F94A)}

# Of what scikit-image and scikit-learn ship: no pages, which may have digits on them,
# no drawings, no clock.
PHOTOGRAPHS = {
    "skimage/data": "astronaut.png brick.png camera.png chelsea.png coffee.png grass.png gravel.png "
    "hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png retina.jpg rocket.jpg",
    "sklearn/datasets/images": "china.jpg flower.jpg",
}

# Left out are those that some hand writes as a digit: B as 8, b and G as 6, D, O, o and
# Q as 0, g, q and y as 9, I, i, J, j, l and T as 1 or 7, S and s as 5, Z and z as 2, A
# and h as 4, E as 3.
LATIN = "CFHKLMNPRUVWXYacdefkmnprtuvwx"
# In other scripts many more resemble digits (Cyrillic Ze is a 3, Che a 4, Hebrew Samekh
# a 0, Devanagari Ra a 2), and these are not: what gets through there is to be looked
# at.
SCRIPTS = {
    "greek": ("dejavu/DejaVuSans.ttf", "ΓΔΛΞΠΣΨΩβγδεζηθλμξπσφψω"),
    "cyrillic": ("dejavu/DejaVuSerif.ttf", "ДЖИЛПФЦШЩЪЫЮЯджилмфцшщыюя"),
    "hebrew": ("dejavu/DejaVuSans.ttf", "אבדהחטכלמנעפצקשת"),
    "arabic": ("dejavu/DejaVuSans.ttf", "بتثجحخدذرسشصضطظعغفقكلمني"),
    "devanagari": (
        "lohit-devanagari/Lohit-Devanagari.ttf",
        "अआइईउऊकखघचछजझडणतदनपबभमयलवशषसह",
    ),
    "breip": ("breip/Breip.ttf", LATIN),
    "ecolier": ("ecolier-court/Ecolier-court.ttf", LATIN),
    "femkeklaver": ("femkeklaver/femkeklaver.ttf", LATIN),
    "humor": ("humor-sans/Humor-Sans.ttf", "CFHKLMNPRUVWXY"),
}


def fashion() -> Iterator[tuple[str, Image.Image]]:
    """The 10,000 test images of Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017)."""
    if FASHION.exists():
        pixels = np.frombuffer(
            gzip.decompress(FASHION.read_bytes()), np.uint8, offset=16
        ).reshape(-1, 28, 28)
        for index, image in enumerate(pixels):
            yield f"{index:05}", Image.fromarray(image)


def photographs() -> Iterator[tuple[str, Image.Image]]:
    """Whole ones, grey."""
    for folder, names in PHOTOGRAPHS.items():
        for path in (
            Path(sysconfig.get_path("purelib"), folder, name) for name in names.split()
        ):
            if path.exists():
                with Image.open(path) as photograph:
                    grey = photograph.convert("L")
                grey.thumbnail((LONGEST, LONGEST))
                yield path.stem, grey


def crops() -> Iterator[tuple[str, Image.Image]]:
    """Squares of the photographs, of several sizes, equally many of each photograph."""
    rng = np.random.default_rng(0)
    wholes = list(photographs())
    for index in range(CROPS if wholes else 0):
        name, whole = wholes[index % len(wholes)]
        side = min(int(rng.choice(SIDES)), *whole.size)
        left, top = (int(rng.integers(length - side + 1)) for length in whole.size)
        yield f"{index:04}-{name}", whole.crop((left, top, left + side, top + side))


def scripts() -> Iterator[tuple[str, Image.Image]]:
    """Letters of several scripts and of fonts that imitate handwriting, black on white."""
    for script, (path, alphabet) in SCRIPTS.items():
        if (FONTS / path).exists():
            font = ImageFont.truetype(FONTS / path, LETTER)
            for letter in dict.fromkeys(alphabet):
                image = Image.new("L", (2 * LETTER, 2 * LETTER), 255)
                ImageDraw.Draw(image).text(
                    (LETTER, LETTER), letter, 0, font, anchor="mm"
                )
                yield f"{script}-{ord(letter):04x}", image


def emoji() -> Iterator[tuple[str, Image.Image]]:
    """Animals, people, food, vehicles and signs, in colour on white."""
    if EMOJI.exists():
        font = ImageFont.truetype(EMOJI, EMOJI_SIZE)
        for code in sorted(EMOJI_CODES):
            image = Image.new("RGB", (136, 128), "white")
            ImageDraw.Draw(image).text(
                (68, 64), chr(code), font=font, anchor="mm", embedded_color=True
            )
            if np.ptp(np.asarray(image)):
                yield f"{code:x}", image


SETS = {
    "fashion": fashion,
    "photographs": photographs,
    "crops": crops,
    "scripts": scripts,
    "emoji": emoji,
}


def main() -> None:
    """Make a folder of each set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, images in SETS.items():
        count = 0
        for stem, image in images():
            path = folder / name / f"{stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
            count += 1
        print(f"{count:6,} {name}")


if __name__ == "__main__":
    main()
