# shellcheck shell=bash
# Functions that find or install what the other scripts need. Sourced by them.

# need COMMAND PACKAGE… installs Debian packages when COMMAND is missing.
# It returns 1, with a message on stderr, if that is not possible.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return 0
  if install_packages "$@" && command -v "$command" >/dev/null; then return 0; fi
  echo "${0##*/}: $command is missing: install it (on Debian: apt-get install $*), or run this as root" >&2
  return 1
}

# install_packages PACKAGE… installs Debian packages. It returns 1 if that is not allowed or fails.
install_packages() {
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then sudo=(sudo -n); fi
  if ! command -v apt-get >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then return 1; fi
  echo "${0##*/}: installing $*" >&2
  {
    "${sudo[@]}" apt-get -qq update &&
      "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"
  } >/dev/null 2>&1
  local status=$?
  hash -r
  return "$status"
}

# need_prometheus prints the folder of prometheus and promtool. Debian's package is unpacked, and not installed: that would start a
# server. It returns 1, with a message on stderr, if that is not possible.
need_prometheus() {
  local folder=$PWD/.cache/prometheus
  if [ ! -x "$folder/usr/bin/promtool" ]; then
    mkdir -p "$folder"
    if ! (cd "$folder" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } && dpkg -x prometheus_*.deb .) >/dev/null 2>&1; then
      echo "${0##*/}: prometheus is missing, and Debian's package of it cannot be downloaded" >&2
      return 1
    fi
    rm -f "$folder"/prometheus_*.deb
  fi
  echo "$folder/usr/bin"
}

# need_go returns 1, with a message on stderr, unless Go 1.26 or newer is installed.
need_go() {
  local found
  if ! found=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null); then
    echo "${0##*/}: Go is missing: install Go 1.26 or newer" >&2
    return 1
  fi
  # A pre-release such as go1.27rc1 counts as its release.
  if [ "$(printf '%s\n' go1.26 "$found" | sort -V | head -n 1)" != go1.26 ]; then
    echo "${0##*/}: Go 1.26 or newer is needed, this is $found" >&2
    return 1
  fi
}

# tool NAME VERSION PACKAGE prints the path of a tool, which it installs once, outside of the modules of the workspace.
tool() {
  local bin=$PWD/.cache/tools/$2
  [ -x "$bin/$1" ] || GOBIN=$bin go install "$3@$2" >&2 || return 1
  echo "$bin/$1"
}
