"""Writes pictures of many kinds to a folder, and the pixels of all that are there, as Pillow reads them, beside them."""

import sys
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

folder = Path(sys.argv[1])
colours = Image.new("RGB", (37, 29))
colours.putdata([(x * 7 % 256, y * 8 % 256, (x * y * 3 + x) % 256) for y in range(29) for x in range(37)])
grey, black = colours.convert("L"), colours.convert("1")
palette = colours.quantize(50)
alpha = colours.convert("RGBA")
alpha.putalpha(grey)
exif = Image.Exif()
exif[274] = 6

for name, image in {"colours": colours, "grey": grey, "black": black, "palette": palette}.items():
    image.save(folder / f"{name}.bmp")
    image.save(folder / f"{name}.gif")
    for compression in "packbits", "tiff_lzw", "tiff_adobe_deflate":
        image.save(folder / f"{name}-{compression}.tif", compression=compression)

for compression in "raw", "packbits", "tiff_lzw", "tiff_adobe_deflate":
    alpha.save(folder / f"alpha-{compression}.tif", compression=compression)
for compression in "tiff_lzw", "tiff_adobe_deflate":
    colours.save(folder / f"predicted-{compression}.tif", compression=compression, tiffinfo={317: 2, 278: 5})
colours.save(folder / "raw.tif")
colours.save(folder / "pages.tif", save_all=True, append_images=[grey])
palette.save(folder / "interlaced.gif", interlace=1)
palette.save(folder / "transparent.gif", transparency=3)
palette.save(folder / "animated.gif", save_all=True, append_images=[colours.rotate(90).resize(colours.size).quantize(9)])
for quality in 0, 30, 75, 100:
    for method in 0, 4, 6:
        colours.save(folder / f"{quality}-{method}.webp", quality=quality, method=method)
colours.resize((300, 200)).save(folder / "large.webp")
colours.save(folder / "turned.webp", exif=exif)
alpha.save(folder / "alpha.webp", quality=60)

for path in list(folder.iterdir()):
    try:
        image = Image.open(path)
    except UnidentifiedImageError:
        continue
    mode, is_webp = image.mode, image.format == "WEBP"
    if is_webp:
        image = ImageOps.exif_transpose(image).convert("RGB")
    if mode.startswith("I;16"):
        high = 0 if mode.endswith("B") else 1
        pixels, channels = image.tobytes()[high::2], 1
    elif (mode == "RGBA" and not is_webp) or "transparency" in image.info:
        pixels, channels = image.convert("RGBA").tobytes(), 4
    else:
        pixels, channels = image.convert("RGB").tobytes(), 3
    Path(f"{path}.channels-{channels}").write_bytes(pixels)
