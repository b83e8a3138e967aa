"""OKLab (B. Ottosson, 2020, "A perceptual color space for image processing"): equal distances look equally far."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

RGB = tuple[int, int, int]

_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def lch(lightness: float, chroma: float, hue: float) -> NDArray[np.float64]:
    """OKLab from lightness (0 … 1), chroma (0 … about 0.3) and hue (degrees). Shape (3,)."""
    angle = np.radians(hue)
    return np.array([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])


def to_lab(rgb: ArrayLike) -> NDArray[np.float64]:
    """OKLab of sRGB 0 … 255; shape (…, 3) both."""
    share = np.asarray(rgb, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    lab: NDArray[np.float64] = np.cbrt(linear @ _LMS.T) @ _LAB.T
    return lab


def to_rgb(lab: ArrayLike) -> NDArray[np.int64]:
    """sRGB 0 … 255 of OKLab, clipped to what a screen can show; shape (…, 3) both."""
    linear = (np.asarray(lab, np.float64) @ np.linalg.inv(_LAB).T) ** 3 @ np.linalg.inv(_LMS).T
    linear = np.clip(linear, 0, 1)
    share = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    rgb: NDArray[np.int64] = np.rint(share * 255).astype(np.int64)
    return rgb


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """`share` of the other colour in the one, mixed as the eye would."""
    red, green, blue = to_rgb(to_lab(one) * (1 - share) + to_lab(other) * share)
    return int(red), int(green), int(blue)


def even_ramp(anchors: NDArray[np.float64], steps: int) -> list[RGB]:
    """`steps` colours along the path through the anchors (OKLab, shape (k, 3)), equally far from each other."""
    lengths = np.linalg.norm(np.diff(anchors, axis=0), axis=1)
    # A fine polyline in place of the straight pieces' own lengths: clipping to sRGB bends the path.
    at = np.concatenate([[0], np.cumsum(lengths)])
    fine = np.stack([np.interp(np.linspace(0, at[-1], 512), at, anchors[:, i]) for i in range(3)], axis=1)
    seen = to_lab(to_rgb(fine))
    walked = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(seen, axis=0), axis=1))])
    even = np.linspace(0, walked[-1], steps)
    colours = to_rgb(np.stack([np.interp(even, walked, seen[:, i]) for i in range(3)], axis=1))
    return [(int(r), int(g), int(b)) for r, g, b in colours]
