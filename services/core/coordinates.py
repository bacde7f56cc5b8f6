"""Positions as citizens' devices give them, brought to GCJ-02, which Chinese maps and the connectors speak."""

import math
import re
from typing import NamedTuple

_POSITION = re.compile(r"(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)\s*(?:;\s*(gcj02|wgs84))?", re.IGNORECASE)

# Krasovsky 1940, the ellipsoid GCJ-02 is computed on.
_AXIS = 6378245.0
_ECCENTRICITY = 0.00669342162296594323


class Position(NamedTuple):
    """Degrees, GCJ-02."""

    lat: float
    lng: float


def read_position(text: str) -> Position | None:
    """Read `lat,lng` (GCJ-02) or `lat,lng;wgs84`; None for a typed place or an impossible position."""
    found = _POSITION.fullmatch(text.strip())
    if found is None:
        return None
    lat, lng = float(found[1]), float(found[2])
    if abs(lat) > 90 or abs(lng) > 180:
        return None
    return wgs84_to_gcj02(lat, lng) if (found[3] or "").lower() == "wgs84" else Position(lat, lng)


def wgs84_to_gcj02(lat: float, lng: float) -> Position:
    """The published approximation of the offset, good to some metres; positions outside China stay."""
    if not (0.83 < lat < 55.83 and 72.0 < lng < 137.85):
        return Position(lat, lng)
    x, y = lng - 105.0, lat - 35.0
    ripple = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + ripple
    d_lat += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    d_lat += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    d_lng = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + ripple
    d_lng += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    d_lng += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    radians = lat / 180.0 * math.pi
    magic = 1 - _ECCENTRICITY * math.sin(radians) ** 2
    meridian = _AXIS * (1 - _ECCENTRICITY) / (magic * math.sqrt(magic))
    return Position(
        lat + d_lat * 180.0 / (meridian * math.pi),
        lng + d_lng * 180.0 / (_AXIS / math.sqrt(magic) * math.cos(radians) * math.pi),
    )
