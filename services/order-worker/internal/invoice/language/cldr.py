#!/usr/bin/env python3
"""Takes what invoices need of the Unicode CLDR: python3 cldr.py FOLDER

The folder is the node_modules of: npm install cldr-dates-full@48.2.0 cldr-numbers-full@48.2.0. Writes cldr.json and
LICENSE beside this script. English is that of Great Britain, whose dates begin with the day, as they do all over Europe.
"""
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
LOCALES = {"en": "en-GB", "de": "de", "fr": "fr", "pl": "pl", "el": "el", "uk": "uk"}


def main(folder):
    out = {}
    for language, locale in LOCALES.items():
        def read(package, file):
            text = (folder / package / "main" / locale / file).read_text("utf-8")
            return json.loads(text)["main"][locale]
        calendar = read("cldr-dates-full", "ca-gregorian.json")["dates"]["calendars"]["gregorian"]
        numbers = read("cldr-numbers-full", "numbers.json")["numbers"]
        symbols = numbers["symbols-numberSystem-latn"]
        out[language] = {
            "months": [calendar["months"]["format"]["wide"][str(m)] for m in range(1, 13)],
            "day": pattern(calendar["dateFormats"]["long"]),
            "decimal": symbols["decimal"],
            # A narrow space is a space of usual width here: the fonts have no other that holds words together.
            "group": symbols["group"].replace("\u202f", "\u00a0"),
            "grouped_from": 3 + int(numbers["minimumGroupingDigits"]),
            "percent": numbers["percentFormats-numberSystem-latn"]["standard"].replace("#,##0", "{n}").replace("\u202f", "\u00a0"),
        }
    (HERE / "cldr.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (HERE / "LICENSE").write_text((folder / "cldr-numbers-full" / "LICENSE").read_text("utf-8"), "utf-8")


def pattern(date):
    """Writes a pattern of CLDR with places by name."""
    places = {"d": "{day}", "MMMM": "{month}", "y": "{year}"}
    parts = re.findall(r"'[^']*'|[A-Za-z]+|[^A-Za-z']+", date)
    date = "".join(places[p] if p.isalpha() else p.strip("'") for p in parts)
    return date.replace("\u202f", "\u00a0")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
