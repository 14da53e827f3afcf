#!/usr/bin/env python3
"""Adds up ctest's junit files and closes with `N passed, N failed, N skipped`."""
import sys
import xml.etree.ElementTree as tree


def main():
    passed = failed = skipped = 0
    for path in sys.argv[1:]:
        for case in tree.parse(path).getroot().iter("testcase"):
            status = case.get("status")
            if status in ("fail", "failed"):
                failed += 1
                print("failed:", case.get("name"))
            elif status in ("notrun", "disabled") or case.find("skipped") is not None:
                skipped += 1
                print("skipped:", case.get("name"))
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


sys.exit(main())
