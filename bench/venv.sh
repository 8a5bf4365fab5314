# Sourced: $python is a Python in the cache with LibTorch's version of PyTorch and the packages named, installed once.
# usage: . bench/venv.sh NAME packages...
version=$(sed -n 's/^torch_version=//p' scripts/setup)
venv=${UVIC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/uvic}/pytorch-$version
python=$venv/bin/python
[ -e "$venv/$1" ] || {
  [ -x "$python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet "torch==$version" "${@:2}"
  touch "$venv/$1"
}
