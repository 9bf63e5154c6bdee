#!/usr/bin/env python3
"""Cuts the fonts that invoices are set in: python3 cut.py NotoSans-Regular.ttf NotoSans-Bold.ttf

Needs fontTools (pip install fonttools==4.68.0) and the two faces (Noto Sans 2.004: Debian package fonts-noto-core).
Writes, beside this script and for each page of pages.txt and each face, PAGE-WEIGHT.z (the cut font, deflated) and
PAGE-WEIGHT.json (its metrics, in the form that gofpdf.AddFontFromBytes reads).

A page is 224 characters: 32 to 126 are ASCII in all of them, 127 is the box that stands for what no page has, and the
line of pages.txt fills 128 to 255; a blank there is no character. PDF/A knows characters by their names in the Adobe Glyph
List alone. Those that the list lacks (Ț, ẞ and a few more) borrow the name of a small capital, which points at their glyph
in the cut; the list of them in fonts.go makes sure that they are read back as what they are. gofpdf can cut fonts too, but it keeps the hinting:
each font would weigh 28 KB instead of 12, in every invoice ever kept.
"""
import copy
import hashlib
import io
import json
import pathlib
import sys
import zlib

from fontTools import agl, subset
from fontTools.ttLib import TTFont

HERE = pathlib.Path(__file__).parent
BOX, MINUS = 0x25A1, 0x2212

# The Adobe Glyph List, both ways; of several names for a character the first in the alphabet.
LISTED = {n: u[0] for n, u in agl.LEGACY_AGL2UV.items() if len(u) == 1}
NAMES = {u: n for n, u in sorted(LISTED.items(), reverse=True)}
# Names of the list that no text needs: they stand for private characters.
BORROWED = [f"{c}small" for c in "ABCDEFGH"]


def main(regular, bold):
    for line in (HERE / "pages.txt").read_text("utf-8").splitlines():
        page, upper = line.split("\t")
        codes = page_codes(upper)
        for weight, source in (("regular", regular), ("bold", bold)):
            cut(codes, TTFont(source, recalcTimestamp=False), f"{page}-{weight}")


def page_codes(upper):
    """Maps the codes of a page to Unicode."""
    codes = {c: c for c in range(32, 127)} | {127: BOX}
    return codes | {128 + i: ord(r) for i, r in enumerate(upper) if r != " "}


def cut(codes, font, name):
    draw_missing(font)
    options = subset.Options(
        hinting=False, glyph_names=False, notdef_outline=True, layout_features=[],
        drop_tables=["GPOS", "GSUB", "GDEF", "STAT", "kern", "gasp", "meta"], name_IDs=[0, 6], notdef_glyph=True)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes.values())
    subsetter.subset(font)
    names = names_of(codes)
    for code, glyph_name in names.items():
        # Readers go from the name to Unicode, by the list, and from there to the glyph.
        for table in font["cmap"].tables:
            table.cmap[LISTED[glyph_name]] = font.getBestCmap()[codes[code]]
    missing = set(codes.values()) - set(font.getBestCmap())
    if missing:
        sys.exit(f"{name}: the face has no " + " ".join(map(chr, sorted(missing))))
    out = io.BytesIO()
    font.save(out)
    packed = zlib.compress(out.getvalue(), 9)
    (HERE / f"{name}.z").write_bytes(packed)
    definition = describe(codes, font, name, names, len(out.getvalue()))
    (HERE / f"{name}.json").write_text(json.dumps(definition, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    print(f"{name}: {len(packed)} bytes")


def draw_missing(font):
    """Gives the face the two glyphs that it lacks: a box, drawn like its .notdef, and a minus, drawn like its en dash."""
    cmap = font.getBestCmap()
    for code, name, model in ((BOX, "uni25A1", ".notdef"), (MINUS, "minus", cmap[0x2013])):
        if code in cmap:
            continue
        font.setGlyphOrder(font.getGlyphOrder() + [name])
        font["glyf"].glyphs[name] = copy.deepcopy(font["glyf"][model])
        font["hmtx"][name] = font["hmtx"][model]
        for table in font["cmap"].tables:
            if table.isUnicode():
                table.cmap[code] = name


def describe(codes, font, name, names, size):
    """Is the font as gofpdf's fontDefType."""
    cmap, head, os2, post = font.getBestCmap(), font["head"], font["OS/2"], font["post"]
    thousandth = 1000 / head.unitsPerEm
    widths = {c: font["hmtx"][cmap[u]][0] for c, u in codes.items()}
    none = round(font["hmtx"][".notdef"][0] * thousandth)
    # Two cuts of one face need different names, else some viewers show one in place of the other (PDF 32000-1, 9.6.4).
    tag = "".join(chr(65 + b % 26) for b in hashlib.sha256(name.encode()).digest()[:6])
    return {
        "Tp": "TrueType", "Name": tag + "+" + font["name"].getDebugName(6),
        "Desc": {
            "Ascent": round(os2.sTypoAscender * thousandth), "Descent": round(os2.sTypoDescender * thousandth),
            "CapHeight": round(os2.sCapHeight * thousandth), "Flags": 32,
            "FontBBox": {k: round(getattr(head, k.lower().replace("m", "M")) * thousandth) for k in ("Xmin", "Ymin", "Xmax", "Ymax")},
            "ItalicAngle": 0, "StemV": 120 if os2.usWeightClass >= 700 else 70, "MissingWidth": none},
        "Up": round(post.underlinePosition * thousandth), "Ut": round(post.underlineThickness * thousandth),
        "Cw": [round(widths[c] * thousandth) if c in widths else none for c in range(256)],
        "Enc": "cp1252", "Diff": differences(names), "File": name + ".z", "OriginalSize": size}


def names_of(codes):
    """Maps the codes that mean something else than in cp1252, which is what gofpdf starts from, to names of the Adobe Glyph List."""
    borrowed, names = iter(BORROWED), {}
    for code in range(127, 256):
        if code in codes and chr(codes[code]) != bytes([code]).decode("cp1252", "replace"):
            names[code] = NAMES.get(codes[code]) or next(borrowed)
    return names


def differences(names):
    """Writes the names as an array of PDF: a code before those that follow each other."""
    out = []
    for code, name in names.items():
        out += [f"/{name}"] if code - 1 in names else [str(code), f"/{name}"]
    return " ".join(out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
