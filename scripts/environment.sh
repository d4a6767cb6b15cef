# Sourced by scripts/demo and scripts/test.
#   make_environment [EXTRA]
# makes .venv (or $I3D_VENV), installs this checkout into it, and sets VENV_BIN. Installs again only
# when pyproject.toml changed, or an extra was not there before.

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.10 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
            2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "i3d needs Python 3.10 to 3.13, and none was found. Name one: PYTHON=/path/to/python $0" >&2
    return 1
}

make_environment() {
    local extra=${1:-} venv=${I3D_VENV:-.venv} target=. wanted python
    [ -z "$extra" ] || target=".[$extra]"
    VENV_BIN="$venv/bin"
    # The folder is in it, too: the commands in .venv hold its absolute path.
    wanted="$target $PWD $(cksum < pyproject.toml)"
    if "$VENV_BIN/python" -m pip --version > /dev/null 2>&1; then
        if grep -qxF "$wanted" "$venv/.installed" 2>/dev/null; then
            return
        fi
        # What was installed for another pyproject.toml, or elsewhere, does not count any more.
        if ! grep -qF " ${wanted#* }" "$venv/.installed" 2>/dev/null; then
            rm -f "$venv/.installed"
        fi
    else
        python=$(find_python)
        echo "== Making an environment in $venv with $("$python" --version)" >&2
        rm -rf "$venv"
        "$python" -m venv "$venv" || {
            rm -rf "$venv" # half made, without pip
            echo "On Debian and Ubuntu, first: apt install python3-venv" >&2
            return 1
        }
    fi
    echo "== Installing i3d and what it needs (TensorFlow is large; this takes minutes)" >&2
    "$VENV_BIN/python" -m pip install --quiet --disable-pip-version-check --editable "$target" || {
        echo "Installing failed, for the reason above. Mend it and run $0 again." >&2
        return 1
    }
    echo "$wanted" >> "$venv/.installed"
}
