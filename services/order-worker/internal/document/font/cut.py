#!/usr/bin/env python3
"""Extracts the glyphs of package document from their fonts: python3 cut.py FOLDER

Needs fontTools (pip install fonttools==4.68.0) and, in the folder, the fonts of the Debian packages fonts-noto-core 20201225
and fonts-noto-cjk 1:20220127+repack1-1. Writes to the folder of this script regular.z, bold.z and eastern.z (East Asian
characters), and a file for each of SHAPED.

A file of SHAPED, decompressed, is a TrueType font of one script with the tables that shaping needs. Its glyphs have no hints
and no references to others. Each other file, decompressed, has a line of JSON with metrics; the number of glyphs; for each glyph, in the order of characters:
character, advance, left side bearing and length of the outline; and the outlines. Numbers are big-endian. The first glyph is
the one for missing characters. Outlines have the format of the TrueType table glyf, without hints and without references to
others, so that any of them make a font: subset.go does that for each document.
"""
import io
import json
import pathlib
import struct
import sys
import unicodedata
import zlib

from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import GlyphCoordinates

HERE = pathlib.Path(__file__).parent
BOX, MINUS, EN_DASH = 0x25A1, 0x2212, 0x2013

# Ranges of characters to take from Noto Sans, in Regular and Bold.
LATIN = [(0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x2AF), (0x2B0, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x1E00, 0x1FFF), (0x2010, 0x2027),
         (0x2030, 0x205E), (0x2070, 0x209F), (0x20A0, 0x20BF), (0x2100, 0x215F), (0xFB00, 0xFB06)]

# Fonts whose texts are shaped, and the ranges to take from each, which are those of scripts.go. Noto Sans places marks on Latin,
# Greek and Cyrillic letters.
SHAPED = {
    "NotoSans": LATIN,
    "NotoSansArmenian": [(0x530, 0x58F), (0xFB13, 0xFB17)],
    "NotoSansHebrew": [(0x590, 0x5FF), (0xFB1D, 0xFB4F)],
    "NotoSansArabic": [(0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)],
    "NotoSansThaana": [(0x780, 0x7BF)],
    "NotoSansDevanagari": [(0x900, 0x97F), (0xA8E0, 0xA8FF)],
    "NotoSansBengali": [(0x980, 0x9FF)],
    "NotoSansGurmukhi": [(0xA00, 0xA7F)],
    "NotoSansGujarati": [(0xA80, 0xAFF)],
    "NotoSansOriya": [(0xB00, 0xB7F)],
    "NotoSansTamil": [(0xB80, 0xBFF)],
    "NotoSansTelugu": [(0xC00, 0xC7F)],
    "NotoSansKannada": [(0xC80, 0xCFF)],
    "NotoSansMalayalam": [(0xD00, 0xD7F)],
    "NotoSansSinhala": [(0xD80, 0xDFF)],
    "NotoSansThai": [(0xE00, 0xE7F)],
    "NotoSansLao": [(0xE80, 0xEFF)],
    "NotoSerifTibetan": [(0xF00, 0xFFF)],
    "NotoSansMyanmar": [(0x1000, 0x109F)],
    "NotoSansGeorgian": [(0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F)],
    "NotoSansEthiopic": [(0x1200, 0x139F), (0x2D80, 0x2DDF), (0xAB00, 0xAB2F)],
    "NotoSansCherokee": [(0x13A0, 0x13FF), (0xAB70, 0xABBF)],
    "NotoSansCanadianAboriginal": [(0x1400, 0x167F), (0x18B0, 0x18FF)],
    "NotoSansKhmer": [(0x1780, 0x17FF), (0x19E0, 0x19FF)],
    "NotoSansOlChiki": [(0x1C50, 0x1C7F)],
    "NotoSansTifinagh": [(0x2D30, 0x2D7F)],
    "NotoSansMeeteiMayek": [(0xAAE0, 0xAAFF), (0xABC0, 0xABFF)],
}
COMMON = [0x20, 0x200C, 0x200D, 0x25CC]  # space, joiners and the dotted circle below a mark without a letter


def listed(encoding, leads=range(0x81, 0xFF)):
    """Returns the two-byte characters of an encoding whose first byte is in leads."""
    for lead in leads:
        for trail in range(0x40, 0xFF):
            text = bytes([lead, trail]).decode(encoding, "ignore")
            # Other fonts have the characters below. Texts are normalized before they are printed, so only NFC occurs.
            if len(text) == 1 and text > "\u2100" and unicodedata.is_normalized("NFC", text):
                yield ord(text)


# Characters that the standards below lack: traditional forms of GB 2312, and characters of names.
MORE = (
    "㛃俁俬僨剮劌勱匭厙厴叄嗩嘜嘵噁噝噠噦噲嚌嚙嚦嚳囅圇垚垻埡堃堖壚壠奼姵婭媗嫚嬀嬙嬡嬿孌崬嶁嶗嶧巋巰巹幘幬廕弳彔彣慪憒懞懟懨戧戩摜摳撟撣擼攖攛攢旸曏柺梘棖榪檁櫧櫫櫱櫳櫸欏欞殭毿氌沄淥淩淶溦漚漵潙潷潿澇澩濼"
    "瀠灃灄灕灧灩烜烴煒熗猻獁獫獼珺璠甡瘂瘞癉癭皁瞘硨碭碸磣礆礱祎禕穭籜籩籪糉糹紓絝綃綆綈綳綹緄緔緗緦緱緶縭縶繢繮繯繾羥翀翯翾耬耮聵腖腡芃葒葤蓯蓽蕆蕒蕢薌薟藶蘄蘞蘺虯蛺螄蟎蟣蠆蠐衊衕衚褳襇襉襝覷觶訁詎詘詡詿"
    "誆誒諑諗謅譭譾讕讞貺賕賙賧賾赟趲躒躕躚躥躦軤軲軹軺輇郟鄆鄔鄖鄶鄺釃釒釓釔釕釷釹釺鈀鈁鈄鈅鈈鈡鈥鈦鈧鈮鈰鈳鉆鉕鉬鉭鉳鉺鉿銠銣銥銦銩銪銫銱鋃鋝鋟鋣鋥鋦鋨鋮鋯鋱鋶錁錇錈錒錛錸錼鍀鍁鍃鍅鍆鍇鍘鍤鍩鍶鍺鎄鎇鎦鎩"
    "鎪鎵鎿鏇鏌鏵鏷鏹鐋鐒鐝鐠鐦鐧鐨鐿鑊鑌鑔鑥鑭鑹閆閌閫閬閶閽閿闞隉靚鞝鞽韙韝韞頇頎頦顙顢顬颮飈飠餈餑餱餳餷餼饃饈饊饢駔騍騭騮騸驁驄驊驏骉髕鮁鮐鮚鮞鯁鯇鯗鯝鯪鯫鯴鯿鰠鰣鰨鰩鰳鰵鰷鱅鱘鱝鱭鱺鴝鴯鴰鵂鵒鵓鶓鶘鶥"
    "鶼鷀鷚鷳鷴鸌鸕鸝鹺黲黿鼉齙"
)

# Characters to take from Noto Sans CJK: those of the standards of China, Japan (Windows code page 932, with forms of surnames),
# Taiwan (first level) and Korea, and all syllables of Korean. A character that countries draw differently has the form of the
# first list that has it. The number is the index of the font in its collection.
EASTERN = [
    (2, {*listed("gb2312")}),
    (0, {*listed("cp932"), *range(0xFF61, 0xFFA0)}),
    (3, {*listed("big5", range(0xA1, 0xC7)), *map(ord, MORE)}),
    (1, {*range(0xAC00, 0xD7A4), *listed("euc_kr")}),
]


def main(folder):
    folder, everywhere = pathlib.Path(folder), set()
    for weight in ("Regular", "Bold"):
        noto = TTFont(folder / f"NotoSans-{weight}.ttf", recalcTimestamp=False)
        cmap = noto.getBestCmap()
        glyphs = {char: outline(noto, cmap[char]) for first, last in LATIN for char in range(first, last + 1) if char in cmap}
        # Noto Sans lacks two characters: the box gets the glyph of .notdef, and the minus that of the en dash.
        glyphs[0] = glyphs[BOX] = outline(noto, ".notdef")
        glyphs.setdefault(MINUS, glyphs[EN_DASH])
        write(describe(noto, weight), glyphs, HERE / f"{weight.lower()}.z")
        everywhere |= glyphs.keys()
    for name, ranges in SHAPED.items():
        shaped(folder / f"{name}-Regular.ttf", ranges, HERE / f"{name}.z")
    eastern(folder / "NotoSansCJK-Regular.ttc", everywhere)


def shaped(source, ranges, path):
    """Writes a part of a font with the tables for shaping, and with outlines that do not refer to others."""
    font = TTFont(source, recalcTimestamp=False)
    if font["head"].unitsPerEm != 1000:
        sys.exit(f"{source} does not have 1000 units per em")
    options = Options(hinting=False, glyph_names=False, notdef_outline=True, recalc_timestamp=False)
    options.drop_tables += ["name", "post", "STAT", "meta", "DSIG"]
    if path.stem == "NotoSans":
        options.layout_features = ["ccmp", "mark", "mkmk"]
    part = Subsetter(options)
    part.populate(unicodes=[*COMMON, *(char for first, last in ranges for char in range(first, last + 1))])
    part.subset(font)
    glyph_set = font.getGlyphSet()
    drawn = {}
    for name in font.getGlyphOrder():
        pen, recording = TTGlyphPen(None), DecomposingRecordingPen(glyph_set)
        glyph_set[name].draw(recording)
        recording.replay(pen)
        drawn[name] = pen.glyph()
    for name, glyph in drawn.items():
        font["glyf"][name] = glyph
    out = io.BytesIO()
    font.save(out)
    path.write_bytes(zlib.compress(out.getvalue(), 9))
    print(f"{path.name}: {len(drawn)} glyphs, {path.stat().st_size} bytes")


def eastern(collection, everywhere):
    """Writes the face of the East Asian characters, in one weight."""
    glyphs = {}
    for number, chars in EASTERN:
        font = TTFont(collection, fontNumber=number, recalcTimestamp=False)
        cmap = font.getBestCmap()
        for char in sorted((chars - everywhere - glyphs.keys()) & cmap.keys()):
            glyphs[char] = outline(font, cmap[char])
    glyphs[0] = outline(font, ".notdef")
    write(describe(font, "Regular") | {"name": "NotoSansCJK-Regular", "maxp": limits(glyphs).hex()}, glyphs, HERE / "eastern.z")


def outline(font, name):
    """Returns the advance, the left side bearing and the outline of a glyph without references."""
    if font["head"].unitsPerEm != 1000:
        sys.exit("the font does not have 1000 units per em")
    glyph_set, pen = font.getGlyphSet(), DecomposingRecordingPen(font.getGlyphSet())
    glyph_set[name].draw(pen)
    drawn = TTGlyphPen(None)
    # CFF fonts have cubic curves, TrueType quadratic ones.
    pen.replay(Cu2QuPen(drawn, 3, reverse_direction=True) if "CFF " in font else drawn)
    glyph = drawn.glyph()
    advance, bearing = font["hmtx"][name]
    if "CFF " in font and glyph.numberOfContours:
        # Even coordinates compress better by a tenth, and at 10 points nothing moves by more than 4 µm.
        glyph.coordinates = GlyphCoordinates([(2 * round(x / 2), 2 * round(y / 2)) for x, y in glyph.coordinates])
        glyph.recalcBounds(None)
        bearing = glyph.xMin
    data = glyph.compile(None) if glyph.numberOfContours else b""
    return advance, bearing, data + b"\0" * (-len(data) % 4)


def describe(font, weight):
    """Returns the metrics of a face for the PDF and its font tables."""
    head, os2 = font["head"], font["OS/2"]
    return {
        "name": f"NotoSans-{weight}", "ascent": os2.sTypoAscender, "descent": os2.sTypoDescender, "cap_height": os2.sCapHeight,
        "stem": 120 if os2.usWeightClass >= 700 else 70, "box": [head.xMin, head.yMin, head.xMax, head.yMax],
        "head": font.getTableData("head").hex(), "hhea": font.getTableData("hhea").hex(), "maxp": font.getTableData("maxp").hex(),
    }


def limits(glyphs):
    """Returns a maxp table for these glyphs: that of a CFF font lacks the number of points."""
    counts = [(0, 0)]
    for _, _, data in glyphs.values():
        if data:
            contours, = struct.unpack_from(">h", data)
            counts.append((1 + struct.unpack_from(">H", data, 8 + 2 * contours)[0], contours))
    points, contours = map(max, zip(*counts))
    return struct.pack(">I14H", 0x10000, len(glyphs), points, contours, 0, 0, 1, *[0] * 8)


def write(face, glyphs, path):
    out = json.dumps(face, separators=(",", ":")).encode() + b"\n" + struct.pack(">H", len(glyphs))
    order = sorted(glyphs)
    for char in order:
        advance, bearing, data = glyphs[char]
        out += struct.pack(">HHhH", char, advance, bearing, len(data))
    out += b"".join(glyphs[char][2] for char in order)
    path.write_bytes(zlib.compress(out, 9))
    print(f"{path.name}: {len(glyphs)} glyphs, {path.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
