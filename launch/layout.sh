# What an installation consists of, for launch/install, launch/bundle and launch/manual, which source this after lib.sh.
# shellcheck shell=bash

# Scripts for work on the sources, which are installed nowhere; all others are, as misp-NAME where they are programs.
readonly FOR_SOURCES=' bench build bundle debug lint manual peers test walkthrough '

# static_worker: builds the program with Swift's libraries linked in, so that it runs where there is no Swift, and what
# makes its manual pages, both in .build-static; sets `program`.
static_worker() {
    local options=(-c release --scratch-path .build-static)
    [[ $(uname) != Linux ]] || options+=(--static-swift-stdlib)
    install_missing
    swift_build "${options[@]}" --product misp-worker
    swift_build "${options[@]}" --product generate-manual
    program=$ROOT/.build-static/release/misp-worker
}

# check_program FILE: one that is built already, with what makes its manual pages beside it; sets `program`.
check_program() {
    local generator=${1%/*}/generate-manual
    [[ -x $1 && $1 == */misp-worker ]] || fail "--worker wants a misp-worker that is built, not '$1'"
    [[ -x $generator ]] || fail "there is no $generator, which makes the manual pages: swift build builds it with \
--product generate-manual"
    program=$1
}

# write_manual PROGRAM FOLDER: a page for each command, of what --help says.
write_manual() {
    local page
    mkdir -p "$2"
    as_installed "${1%/*}/generate-manual" "$1" --multi-page --output-directory "$2" >/dev/null
    for page in "$2"/misp-worker*.1; do # an empty line is no paragraph to mdoc
        sed 's/^$/.Pp/' "$page" >"$page.new" && mv "$page.new" "$page"
    done
}

# Runs a command in which the program says how it is typed where it is installed.
as_installed() { MISP_COMMAND=misp-worker MISP_LAUNCH=misp- "$@"; }

# lay_out PROGRAM TREE: all files of an installation, and the list of them.
lay_out() {
    local program=$1 tree=$2 name
    local scripts=$2/libexec/misp/launch shared=$2/share/misp doc=$2/share/doc/misp
    umask 022
    mkdir -p "$tree/bin" "$scripts" "$shared/examples" "$doc"
    cp "$program" "$tree/bin/misp-worker"
    for name in "$ROOT"/launch/*; do
        name=${name##*/}
        [[ $FOR_SOURCES != *" $name "* ]] || continue
        cp -r "$ROOT/launch/$name" "$scripts/$name"
        if [[ -f $ROOT/launch/$name && -x $ROOT/launch/$name && $name != *.* && $name != install ]]; then
            ln -s "../libexec/misp/launch/$name" "$tree/bin/misp-$name"
        fi
    done
    write_manual "$program" "$tree/share/man/man1"
    write_completions "$program" "$tree/share"
    cp "$ROOT/examples/first.yaml" "$shared/examples/first.yaml"
    copy_example "$shared"
    cp -r "$ROOT/README.md" "$ROOT/docs" "$doc"
    copy_licences "$doc"
    # cp keeps what a checkout's owner had masked.
    chmod -R u+rwX,go+rX,go-w "$tree"
    list_files "$tree"
}

# The model and the groups that examples/first.yaml names, where it names them.
copy_example() {
    local place=Tests/Goldens/checkpoints/llama-clip-spm
    mkdir -p "$1/$place"
    cp -r "$ROOT/$place/." "$1/$place"
}

write_completions() {
    local shell file
    for shell in bash=bash-completion/completions/misp-worker zsh=zsh/site-functions/_misp-worker \
        fish=fish/vendor_completions.d/misp-worker.fish; do
        file=$2/${shell#*=}
        mkdir -p "${file%/*}"
        as_installed "$1" --generate-completion-script "${shell%%=*}" >"$file"
    done
}

# Of the program, and of what is linked into it: the packages that it is built from, and Swift's libraries.
copy_licences() {
    local file checkouts swift
    cp "$ROOT/LICENSE" "$1/LICENSE"
    checkouts=$(dirname "$(dirname "$(readlink -f "${program%/*}")")")/checkouts
    for file in "$checkouts"/*/LICENSE* "$checkouts"/*/Sources/*/LICENSE*; do
        [[ -f $file ]] || continue
        file=${file#"$checkouts/"}
        cp "$checkouts/$file" "$1/LICENSE.${file%%/*}"
    done
    swift=$(dirname "$(readlink -f "$(command -v swift || echo /)")")/../share/swift/LICENSE.txt
    if [[ -f $swift ]]; then cp "$swift" "$1/LICENSE.Swift"; fi
}

# The files of a tree, a line each, from its top; what an installation is removed by.
list_files() {
    : >"$1/libexec/misp/files"
    (cd "$1" && find . ! -type d | sed 's|^\./||' | LC_ALL=C sort) >"$1/libexec/misp/files.new"
    grep -v '^libexec/misp/files\.new$' "$1/libexec/misp/files.new" >"$1/libexec/misp/files"
    rm "$1/libexec/misp/files.new"
}

# Libraries that a program lacks on this machine, and the Debian packages that hold them: lines of `library package`.
missing_libraries() {
    local library
    { ldd "$1" 2>/dev/null || true; } | awk '/not found/ { print $1 }' | sort -u | while read -r library; do
        case $library in
            libmpi.so.*) echo "$library openmpi-bin" ;;
            libopenblas.so.*) echo "$library libopenblas0-pthread" ;;
            libjpeg.so.62) echo "$library libjpeg62-turbo" ;;
            libjpeg.so.*) echo "$library libjpeg-turbo8" ;;
            libpng16.so.*) echo "$library libpng16-16" ;;
            libwebp.so.*) echo "$library libwebp7" ;;
            libwebpdemux.so.*) echo "$library libwebpdemux2" ;;
            libcrypto.so.*) echo "$library libssl3" ;;
            libcurl.so.*) echo "$library libcurl4" ;;
            *) echo "$library" ;;
        esac
    done
}
